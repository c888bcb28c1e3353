/** What a CustomResourceDefinition makes the server serve: one resource for each of its served versions. */
import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from 'kubernetes-types/apiextensions/v1.js';
import type { AdditionalPrinterColumn } from '../columns/custom-resource.ts';
import type { KubeObject } from '../object.ts';
import { type ResourceDefinition, SCALE, STANDARD_VERBS, type SubresourceDefinition, status } from '../registry.ts';
import type { ResourceRef } from '../resource.ts';
import { hasRules, type StructuralSchema, structuralSchemaOf } from './structural-schema.ts';

/** JSON paths without their leading dot, as field names: `spec.replicas` is `['spec', 'replicas']`. */
export interface ScalePaths {
  readonly specReplicas: readonly string[];
  readonly statusReplicas: readonly string[];
  readonly labelSelector: readonly string[] | undefined;
}

/** What is peculiar to a resource that a definition brought. */
export interface CustomTraits {
  /** `crontabs.stable.example.com`: the definition's name. */
  readonly definitionName: string;
  readonly schema: StructuralSchema;
  /** Whether the schema has rules to be evaluated (`rules.ts`). */
  readonly hasRules: boolean;
  readonly printerColumns: readonly AdditionalPrinterColumn[] | undefined;
  readonly scale: ScalePaths | undefined;
  readonly selectableFields: readonly string[];
  /** Told to who uses a deprecated version. */
  readonly deprecationWarning: string | undefined;
  /** The definition is on its way out: nothing new may come. */
  readonly terminating: boolean;
}

/** True once the names are accepted; before, nothing is served. */
export function isEstablished(definition: KubeObject): boolean {
  // Stored definitions were decoded by the type table.
  const { status: state } = definition as unknown as CustomResourceDefinition;
  return state?.conditions?.some(({ type, status: held }) => type === 'Established' && held === 'True') ?? false;
}

/** The preferred version first. Empty unless established. */
export function servedResources(object: KubeObject): ResourceDefinition[] {
  if (!isEstablished(object)) return [];
  const { spec } = object as unknown as CustomResourceDefinition;
  const served = spec.versions.filter((version) => version.served);
  return served.sort((a, b) => compareVersions(a.name, b.name)).map((version) => resourceOf(object, version));
}

/** The resource in the version that is stored, served or not. */
export function storedResource(object: KubeObject): ResourceDefinition | undefined {
  const stored = storedVersion(object);
  return stored && resourceOf(object, stored);
}

function storedVersion(object: KubeObject): CustomResourceDefinitionVersion | undefined {
  return (object as unknown as CustomResourceDefinition).spec.versions.find(({ storage }) => storage);
}

function resourceOf(object: KubeObject, version: CustomResourceDefinitionVersion): ResourceDefinition {
  const { spec } = object as unknown as CustomResourceDefinition;
  const names = (object as unknown as CustomResourceDefinition).status?.acceptedNames ?? spec.names;
  const ref = (version: string): ResourceRef => ({
    group: spec.group,
    version,
    resource: names.plural,
    kind: names.kind,
    namespaced: spec.scope === 'Namespaced',
  });
  return {
    ...ref(version.name),
    singular: names.singular ?? names.kind.toLowerCase(),
    listKind: names.listKind ?? `${names.kind}List`,
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    verbs: STANDARD_VERBS,
    subresources: subresourcesOf(version, ref(version.name)),
    storage: ref(storedVersion(object)?.name ?? version.name),
    schema: `${spec.group}.${version.name}.${names.kind}`,
    virtual: false,
    custom: traitsOf(object, version),
  };
}

function subresourcesOf({ subresources }: CustomResourceDefinitionVersion, ref: ResourceRef): SubresourceDefinition[] {
  return [
    ...(subresources?.scale === undefined ? [] : [SCALE]),
    ...(subresources?.status === undefined ? [] : [status(ref)]),
  ];
}

function traitsOf(object: KubeObject, version: CustomResourceDefinitionVersion): CustomTraits {
  const { scale } = version.subresources ?? {};
  const apiVersion = `${(object as unknown as CustomResourceDefinition).spec.group}/${version.name}`;
  const kind = (object as unknown as CustomResourceDefinition).spec.names.kind;
  const schema = structuralSchemaOf(version.schema?.openAPIV3Schema);
  const { selectableFields = [] } = version as { selectableFields?: readonly { jsonPath: string }[] };
  return {
    definitionName: object.metadata.name ?? '',
    schema,
    hasRules: hasRules(schema),
    printerColumns: version.additionalPrinterColumns,
    scale: scale && {
      specReplicas: namesOf(scale.specReplicasPath),
      statusReplicas: namesOf(scale.statusReplicasPath),
      labelSelector: scale.labelSelectorPath === undefined ? undefined : namesOf(scale.labelSelectorPath),
    },
    selectableFields: selectableFields.map(({ jsonPath }) => namesOf(jsonPath).join('.')),
    deprecationWarning: version.deprecated
      ? (version.deprecationWarning ?? `${apiVersion} ${kind} is deprecated`)
      : undefined,
    terminating: object.metadata.deletionTimestamp !== undefined,
  };
}

function namesOf(jsonPath: string): string[] {
  return jsonPath.split('.').filter((name) => name !== '');
}

const VERSION = /^v(\d+)(?:(alpha|beta)(\d+))?$/;
const STAGES = ['alpha', 'beta', undefined];

/** Negative when `a` is preferred: stable before beta before alpha, newer before older, others by the alphabet. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [VERSION.exec(a), VERSION.exec(b)];
  if (left === null || right === null) {
    if (left !== null) return -1;
    if (right !== null) return 1;
    return a < b ? -1 : Number(a > b);
  }
  return (
    STAGES.indexOf(right[2]) - STAGES.indexOf(left[2]) ||
    Number(right[1]) - Number(left[1]) ||
    Number(right[3] ?? 0) - Number(left[3] ?? 0)
  );
}
