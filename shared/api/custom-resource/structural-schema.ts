/**
 * The OpenAPI v3 schema of a custom resource (Kubernetes documentation, "Specifying a structural schema"), as it stands in
 * a CustomResourceDefinition. Its rules in the Common Expression Language are evaluated by `rules.ts`.
 */
import { isJsonObject } from '../object.ts';

/** A rule of `x-kubernetes-validations`. */
export interface ValidationRule {
  readonly rule: string;
  readonly message?: string;
  /** Gives the message; wins over `message` when it gives one. */
  readonly messageExpression?: string;
  /** `FieldValueInvalid` when absent. */
  readonly reason?: string;
  /** Of the field that is to blame, from the rule's place on: `.spec.replicas`. */
  readonly fieldPath?: string;
  /** A transition rule that also holds for new values: `oldSelf` is an optional. */
  readonly optionalOldSelf?: boolean;
}

export interface StructuralSchema {
  readonly type?: string;
  readonly format?: string;
  readonly nullable?: boolean;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly uniqueItems?: boolean;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly additionalProperties?: boolean | StructuralSchema;
  readonly items?: StructuralSchema;
  readonly allOf?: readonly StructuralSchema[];
  readonly anyOf?: readonly StructuralSchema[];
  readonly oneOf?: readonly StructuralSchema[];
  readonly not?: StructuralSchema;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-embedded-resource'?: boolean;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-validations'?: readonly ValidationRule[];
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
}

/** Schemas come from decoded CustomResourceDefinitions, whose type the table has checked. */
export function structuralSchemaOf(value: unknown): StructuralSchema {
  return isJsonObject(value) ? value : {};
}

/** What every resource has, whatever its schema says of it; metadata is decoded by its own type. */
export const RESOURCE_FIELDS: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata']);

/** The schema of a field; undefined when the schema knows none of that name. */
export function fieldSchema(schema: StructuralSchema, name: string): StructuralSchema | undefined {
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, name)) return schema.properties[name];
  const { additionalProperties } = schema;
  if (additionalProperties === true) return PRESERVES_EVERYTHING;
  return additionalProperties === false ? undefined : additionalProperties;
}

const PRESERVES_EVERYTHING: StructuralSchema = { 'x-kubernetes-preserve-unknown-fields': true };

/** True when there is a rule anywhere in the schema. */
export function hasRules(schema: StructuralSchema): boolean {
  const { properties = {}, additionalProperties, items } = schema;
  if ((schema['x-kubernetes-validations'] ?? []).length > 0) return true;
  if (Object.values(properties).some(hasRules) || (items !== undefined && hasRules(items))) return true;
  return typeof additionalProperties === 'object' && hasRules(additionalProperties);
}

/** `spec.ports`; the root has the empty path. */
export function below(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
