/**
 * The one OpenAPI v2 document of everything that is served, made of what the v3 documents hold. kubectl before 1.27 reads it
 * (as protobuf) for `explain`, for checking manifests, and to learn that dry runs are possible.
 */
import { isJsonObject, type JsonObject } from '../../../shared/api/object.ts';
import type { ResourceDefinition } from '../../../shared/api/registry.ts';
import type { ServedResources } from '../registry/served-resources.ts';
import { VERSION_INFO } from './discovery.ts';
import { describeResources } from './openapi.ts';
import { encodeOpenApiV2 } from './openapi-v2-protobuf.ts';

export const OPENAPI_V2_PROTOBUF = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';

export function openApiV2Document(served: ServedResources): JsonObject {
  const { paths, schemas } = describeResources(allResources(served));
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version: VERSION_INFO.gitVersion },
    paths: mapValues(paths, (item) => mapValues(item, operation)),
    definitions: mapValues(schemas, schema),
  };
}

let encoded: { readonly resources: readonly ResourceDefinition[]; readonly bytes: Buffer } | undefined;

/** The same as an openapi.v2.Document; kept until something else is served. */
export function openApiV2Protobuf(served: ServedResources): Buffer {
  const resources = allResources(served);
  const known =
    encoded?.resources.length === resources.length &&
    encoded.resources.every((resource, index) => resource === resources[index]);
  if (encoded === undefined || !known) {
    encoded = { resources, bytes: Buffer.from(encodeOpenApiV2(openApiV2Document(served))) };
  }
  return encoded.bytes;
}

function allResources(served: ServedResources): ResourceDefinition[] {
  return served
    .groupVersions()
    .flatMap(({ group, versions }) => versions.flatMap((version) => [...served.resourcesOf(group, version)]));
}

function mapValues(value: unknown, change: (entry: JsonObject) => JsonObject): JsonObject {
  if (!isJsonObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => [name, isJsonObject(entry) ? change(entry) : entry]),
  );
}

/** Bodies are parameters in v2, and parameters are their own schemas. */
function operation({ requestBody, parameters, responses, ...rest }: JsonObject): JsonObject {
  const body = contentSchema(requestBody);
  return {
    ...rest,
    consumes: ['*/*'],
    produces: ['application/json', 'application/yaml'],
    parameters: [
      ...(body === undefined ? [] : [{ name: 'body', in: 'body', required: true, schema: body }]),
      ...(Array.isArray(parameters) ? parameters.map(parameter) : []),
    ],
    responses: mapValues(responses, (response) => {
      const answer = contentSchema(response);
      return { description: response.description, ...(answer === undefined ? {} : { schema: answer }) };
    }),
  };
}

function parameter({ schema: of, ...rest }: JsonObject): JsonObject {
  return { ...rest, ...(isJsonObject(of) ? of : {}) };
}

function contentSchema(holder: unknown): JsonObject | undefined {
  if (!isJsonObject(holder) || !isJsonObject(holder.content)) return undefined;
  const [media] = Object.values(holder.content);
  return isJsonObject(media) && isJsonObject(media.schema) ? schema(media.schema) : undefined;
}

/** What v3 brought, and v2 has no word for. */
const ONLY_V3 = new Set(['allOf', 'anyOf', 'oneOf', 'not', 'nullable', '$ref', 'x-kubernetes-validations']);
const V3_REFERENCE = '#/components/schemas/';

function schema(value: JsonObject): JsonObject {
  const reference = referenceOf(value);
  if (reference !== undefined) {
    const { description } = value;
    const $ref = reference.replace(V3_REFERENCE, '#/definitions/');
    return { ...(description === undefined ? {} : { description }), $ref };
  }
  const kept = Object.fromEntries(Object.entries(value).filter(([name]) => !ONLY_V3.has(name)));
  const { properties, items, additionalProperties } = value;
  return {
    ...kept,
    ...(properties === undefined ? {} : { properties: mapValues(properties, schema) }),
    ...(isJsonObject(items) ? { items: schema(items) } : {}),
    ...(isJsonObject(additionalProperties) ? { additionalProperties: schema(additionalProperties) } : {}),
  };
}

/** v3 wraps a reference that has company in an `allOf` of one. */
function referenceOf({ $ref, allOf }: JsonObject): string | undefined {
  if (typeof $ref === 'string') return $ref;
  if (!Array.isArray(allOf) || allOf.length !== 1) return undefined;
  const [only] = allOf;
  return isJsonObject(only) && typeof only.$ref === 'string' ? only.$ref : undefined;
}
