/** CustomResourceDefinitions of one version, as the cluster's network brings them. */
import type { CustomResourceDefinition, JSONSchemaProps } from 'kubernetes-types/apiextensions/v1.js';
import type { ResourceRef } from '../../../shared/api/resource.ts';
import { CUSTOMRESOURCEDEFINITIONS } from '../../../shared/api/resources.ts';
import { anything, list, object, type Properties, text } from './custom-schema.ts';
import type { Manifest } from './manifest.ts';

export interface DefinitionOptions {
  readonly shortNames?: readonly string[];
  /** Beside apiVersion, kind and metadata. */
  readonly fields: Properties;
  readonly required?: readonly string[];
  /** Printed before the age: title to JSON path. */
  readonly columns?: Readonly<Record<string, string>>;
  /** And after it. */
  readonly lastColumns?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly hasStatus?: boolean;
  /** Over the whole object. */
  readonly validations?: readonly SchemaRule[];
}

/** `rule` is CEL over `self`. */
export interface SchemaRule {
  readonly rule: string;
  readonly message: string;
}

export function customDefinition(resource: ResourceRef, options: DefinitionOptions): Manifest {
  const { group, version, kind, resource: plural, namespaced } = resource;
  const {
    shortNames = [],
    fields,
    required = [],
    columns = {},
    lastColumns = {},
    annotations,
    hasStatus,
    validations = [],
  } = options;
  const manifest: CustomResourceDefinition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}`, ...(annotations === undefined ? {} : { annotations: { ...annotations } }) },
    spec: {
      group,
      scope: namespaced ? 'Namespaced' : 'Cluster',
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List`, shortNames: [...shortNames] },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: checked(
              object({ apiVersion: text, kind: text, metadata: { type: 'object' }, ...fields }, [
                'metadata',
                ...required,
              ]),
              ...validations,
            ),
          },
          ...(hasStatus === true ? { subresources: { status: {} } } : {}),
          additionalPrinterColumns: [
            ...textColumns(columns),
            { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
            ...textColumns(lastColumns),
          ],
        },
      ],
    },
  };
  return { resource: CUSTOMRESOURCEDEFINITIONS, object: manifest };
}

function textColumns(columns: Readonly<Record<string, string>>) {
  return Object.entries(columns).map(([name, jsonPath]) => ({ name, type: 'string', jsonPath }));
}

export function notEnforced(field: string): string {
  return `${field}: this emulation does not enforce it yet, so it is refused`;
}

/**
 * Fields that are not enforced here are refused with a sentence, never dropped: a rule that lost a condition would allow more
 * than its author wrote. `kafka[]` is a field that holds a list.
 */
export function refusing(schema: JSONSchemaProps, ...fields: readonly string[]): JSONSchemaProps {
  const named = fields.map((field) => ({ name: field.replace('[]', ''), isList: field.endsWith('[]') }));
  const refused = Object.fromEntries(named.map(({ name, isList }) => [name, isList ? list(anything) : anything]));
  const validations = named.map(({ name }) => ({
    rule: `!has(self.${name})`,
    message: notEnforced(name),
  }));
  return checked({ ...schema, properties: { ...schema.properties, ...refused } }, ...validations);
}

export function checked(schema: JSONSchemaProps, ...validations: readonly SchemaRule[]): JSONSchemaProps {
  if (validations.length === 0) return schema;
  const present = (schema as { 'x-kubernetes-validations'?: readonly object[] })['x-kubernetes-validations'] ?? [];
  return { ...schema, 'x-kubernetes-validations': [...present, ...validations] } as JSONSchemaProps; // whose type does not know the extension
}
