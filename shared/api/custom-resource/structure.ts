/** Whether a schema is structural: typed everywhere, so that it can be pruned along (Kubernetes documentation, "Specifying a structural schema"). */
import type { FieldError } from '../status.ts';
import { forbiddenValue, invalidValue, requiredValue } from '../validation/field-error.ts';
import { applySchemaDefaults } from './default.ts';
import type { StructuralSchema } from './structural-schema.ts';
import { regularExpression, schemaErrorsAt } from './validate.ts';

/** `path` is that of the schema: `spec.versions[0].schema.openAPIV3Schema`. */
export function structureErrors(schema: StructuralSchema, path: string): FieldError[] {
  const root = schema.type !== undefined && schema.type !== 'object' ? [notAnObject(schema.type, path)] : [];
  return [...root, ...partErrors(schema, path, 'at the root')];
}

function notAnObject(type: string, path: string): FieldError {
  return invalidValue(`${path}.type`, type, 'must be object at the root');
}

function partErrors(schema: StructuralSchema, path: string, place: string): FieldError[] {
  const { properties = {}, additionalProperties, items } = schema;
  return [
    ...CHECKS.flatMap((check) => check(schema, path, place)),
    ...Object.entries(properties).flatMap(([name, part]) =>
      partErrors(part, `${path}.properties[${name}]`, 'for specified object fields'),
    ),
    ...(typeof additionalProperties === 'object'
      ? partErrors(additionalProperties, `${path}.additionalProperties`, 'for specified object fields')
      : []),
    ...(items === undefined ? [] : partErrors(items, `${path}.items`, 'for specified array items')),
  ];
}

type Check = (schema: StructuralSchema, path: string, place: string) => FieldError[];

const CHECKS: readonly Check[] = [
  (schema, path, place) =>
    schema.type || schema['x-kubernetes-int-or-string'] || schema['x-kubernetes-preserve-unknown-fields']
      ? []
      : [requiredValue(`${path}.type`, `must not be empty ${place}`)],
  ({ type, items }, path) =>
    type === 'array' && items === undefined ? [requiredValue(`${path}.items`, 'must be specified')] : [],
  ({ properties, additionalProperties }, path) =>
    properties !== undefined && additionalProperties !== undefined
      ? [forbiddenValue(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive')]
      : [],
  ({ uniqueItems }, path) =>
    uniqueItems
      ? [
          forbiddenValue(
            `${path}.uniqueItems`,
            'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
          ),
        ]
      : [],
  ({ pattern }, path) =>
    pattern === undefined || regularExpression(pattern) !== undefined
      ? []
      : [invalidValue(`${path}.pattern`, pattern, 'must be a valid regular expression')],
  (schema, path) => {
    if (schema.default === undefined) return [];
    const value = structuredClone(schema.default);
    applySchemaDefaults(value, schema);
    return schemaErrorsAt(value, schema, `${path}.default`);
  },
];
