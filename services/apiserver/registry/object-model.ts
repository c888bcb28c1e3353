/** The kinds' own rules (shared/api) as the verbs use them: reading a body, defaults, validation, stored version. */
import { decodeCustomResource } from '../../../shared/api/custom-resource/decode.ts';
import { applySchemaDefaults } from '../../../shared/api/custom-resource/default.ts';
import {
  hasRules,
  type StructuralSchema,
  structuralSchemaOf,
} from '../../../shared/api/custom-resource/structural-schema.ts';
import { applyDefaults as applyKindDefaults } from '../../../shared/api/defaults/defaults.ts';
import { fieldAt, isJsonObject, type KubeObject, valueText } from '../../../shared/api/object.ts';
import type { ResourceDefinition } from '../../../shared/api/registry.ts';
import { apiVersionOf } from '../../../shared/api/resource.ts';
import {
  type Decoded,
  decodeObject,
  strictDecodingError,
  unknownFieldText,
} from '../../../shared/api/schema/decode.ts';
import { badRequest, type FieldError } from '../../../shared/api/status.ts';
import { validateCreate, validateUpdate } from '../../../shared/api/validation/validate.ts';
import type { ApiCall } from './api-call.ts';
import type { FieldValidation } from './request-options.ts';

/** The body as an object of the call's kind, in the requested version. BadRequest when it is none. */
export function decodeBody(call: ApiCall, fieldValidation: FieldValidation): KubeObject {
  if (call.body === undefined) throw badRequest('the body of the request is missing');
  const { definition, body } = call;
  const duplicates = body.duplicateFields.map((path) => `duplicate field "${path}"`);
  return decodeValue(call, definition, body.value, fieldValidation, duplicates);
}

/** The same for a value that stands for a body (what a patch results in). */
export function decodeValue(
  call: Pick<ApiCall, 'warn'>,
  definition: ResourceDefinition,
  value: unknown,
  fieldValidation: FieldValidation,
  duplicates: readonly string[] = [],
): KubeObject {
  checkKind(definition, value);
  const { object, unknownFields } = decodeAs(definition, value);
  const problems = [...unknownFields.map(unknownFieldText), ...duplicates];
  if (problems.length > 0 && fieldValidation === 'Strict') throw strictDecodingError(definition, problems);
  if (fieldValidation === 'Warn') for (const problem of problems) call.warn(problem);
  const metadata = isJsonObject(object.metadata) ? object.metadata : {};
  return { ...object, apiVersion: apiVersionOf(definition), kind: definition.kind, metadata };
}

function decodeAs(definition: ResourceDefinition, value: unknown): Decoded {
  const { custom, schema } = definition;
  if (custom === undefined || !isJsonObject(value)) return decodeObject(value, schema, definition);
  return decodeCustomResource(value, custom.schema, definition);
}

/** Absent `apiVersion` and `kind` are those of the URL. */
function checkKind(definition: ResourceDefinition, value: unknown): void {
  if (!isJsonObject(value))
    throw badRequest(`the body of the request must be a ${definition.kind}, not ${describe(value)}`);
  const expected = apiVersionOf(definition);
  const { apiVersion, kind } = value;
  if (apiVersion !== undefined && apiVersion !== '' && apiVersion !== expected) {
    throw badRequest(
      `the API version in the data (${valueText(apiVersion)}) does not match the expected API version (${expected})`,
    );
  }
  if (kind !== undefined && kind !== '' && kind !== definition.kind) {
    throw badRequest(`the kind in the data (${valueText(kind)}) does not match the expected kind (${definition.kind})`);
  }
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}

export function applyDefaults(definition: ResourceDefinition, object: KubeObject): void {
  if (definition.custom !== undefined) applySchemaDefaults(object, definition.custom.schema);
  else applyKindDefaults(object, definition.schema);
}

export async function validateNew(definition: ResourceDefinition, object: KubeObject): Promise<readonly FieldError[]> {
  const errors = validateCreate(object, definition);
  return [...errors, ...(await expressionErrors(definition, object, undefined, errors))];
}

export async function validateChanged(
  definition: ResourceDefinition,
  object: KubeObject,
  old: KubeObject,
  subresource: string | undefined,
): Promise<readonly FieldError[]> {
  const errors = validateUpdate(object, old, definition, subresource);
  if (subresource !== undefined && definition.custom === undefined) return errors;
  return [...errors, ...(await expressionErrors(definition, object, old, errors))];
}

/** Rules of custom resources, and of definitions that bring such: their language is loaded when the first one comes. */
async function expressionErrors(
  { custom, schema }: ResourceDefinition,
  object: KubeObject,
  old: KubeObject | undefined,
  found: readonly FieldError[],
): Promise<FieldError[]> {
  if (custom?.hasRules) {
    const { ruleErrors } = await import('../../../shared/api/custom-resource/rules.ts');
    return ruleErrors(object, old, custom.schema, found);
  }
  if (schema !== DEFINITION_SCHEMA) return [];
  const schemas = schemasOfVersions(object).filter(({ schema: brought }) => hasRules(brought));
  if (schemas.length === 0) return [];
  const { ruleCheckErrors } = await import('../../../shared/api/custom-resource/rule-check.ts');
  return schemas.flatMap(({ schema: brought, path }) => ruleCheckErrors(brought, path));
}

const DEFINITION_SCHEMA = 'apiextensions.v1.CustomResourceDefinition';

function schemasOfVersions(definition: KubeObject): { readonly schema: StructuralSchema; readonly path: string }[] {
  const versions = fieldAt(definition, 'spec', 'versions');
  return (Array.isArray(versions) ? versions : []).map((version: unknown, i) => ({
    schema: structuralSchemaOf(fieldAt(version, 'schema', 'openAPIV3Schema')),
    path: `spec.versions[${i}].schema.openAPIV3Schema`,
  }));
}
