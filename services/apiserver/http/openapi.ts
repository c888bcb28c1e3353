/**
 * OpenAPI v3 documents, one a group version, made from the type table: what kubectl reads for `explain` and to learn
 * that the server validates fields (Kubernetes API concepts, "OpenAPI V3").
 */
import { createHash } from 'node:crypto';
import type { ResourceDefinition } from '../../../shared/api/registry.ts';
import { type FieldType, findType, type ScalarName } from '../../../shared/api/schema/schema.ts';
import { TYPE_TABLE } from '../../../shared/api/schema/table.ts';
import type { ServedResources } from '../registry/served-resources.ts';
import { VERSION_INFO } from './discovery.ts';
import { describeType } from './field-descriptions.ts';

type Json = Record<string, unknown>;

/** `/openapi/v3`: the paths of the documents, each with a hash that changes with its content. */
export function openApiIndex(served: ServedResources): Json {
  const paths: Json = {};
  for (const { group, versions } of served.groupVersions()) {
    for (const version of versions) {
      const path = documentPath(group, version);
      paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${documentHash(served, path)}` };
    }
  }
  return { paths };
}

let tableHash: string | undefined;

/** Types and paths come from the table and the program: one hash tells them all, but for the custom ones. */
export function documentHash(served: ServedResources, path: string): string {
  tableHash ??= createHash('sha256').update(JSON.stringify(TYPE_TABLE)).update(VERSION_INFO.gitVersion).digest('hex');
  return createHash('sha256')
    .update(tableHash)
    .update(path)
    .update(customText(served, path))
    .digest('hex')
    .slice(0, 32)
    .toUpperCase();
}

function customText(served: ServedResources, path: string): string {
  const [, group = '', version = ''] = path.split('/');
  const custom = served.resourcesOf(group, version).filter((resource) => resource.custom !== undefined);
  return custom.length === 0 ? '' : JSON.stringify(custom);
}

function documentPath(group: string, version: string): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`;
}

/** The document at `api/v1` or `apis/<group>/<version>`; undefined when there is none. */
export function openApiDocument(served: ServedResources, path: string): Json | undefined {
  const parts = path.split('/');
  const [group, version] = parts[0] === 'api' ? ['', parts[1]] : [parts[1], parts[2]];
  if (group === undefined || version === undefined || documentPath(group, version) !== path) return undefined;
  const resources = served.resourcesOf(group, version);
  if (resources.length === 0) return undefined;
  const { paths, schemas } = describeResources(resources);
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: VERSION_INFO.gitVersion },
    paths,
    components: { schemas },
  };
}

/** Paths with their operations, and all types that these lead to, as OpenAPI v3 has both. */
export function describeResources(resources: readonly ResourceDefinition[]): { paths: Json; schemas: Json } {
  const schemas = new SchemaCollector();
  const paths: Json = {};
  for (const resource of resources) Object.assign(paths, resourcePaths(resource, schemas));
  return { paths, schemas: schemas.collected };
}

function resourcePaths(resource: ResourceDefinition, schemas: SchemaCollector): Json {
  const { group, version } = resource;
  const base = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const collection = resource.namespaced
    ? `${base}/namespaces/{namespace}/${resource.resource}`
    : `${base}/${resource.resource}`;
  const gvk = { group, version, kind: resource.kind };
  const body = resource.custom === undefined ? schemas.reference(resource.schema, gvk) : schemas.custom(resource, gvk);
  const operation = (action: string, parameters: readonly string[], withBody: boolean): Json => ({
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvk,
    parameters: parameters.map(queryParameter),
    ...(withBody ? { requestBody: { content: { '*/*': { schema: body } } } } : {}),
    responses: { '200': { description: 'OK', content: { 'application/json': { schema: body } } } },
  });
  const item: Json = {};
  const list: Json = {};
  if (resource.verbs.includes('get')) item.get = operation('get', ['pretty'], false);
  if (resource.verbs.includes('update')) item.put = operation('put', WRITE_PARAMETERS, true);
  if (resource.verbs.includes('patch')) item.patch = operation('patch', [...WRITE_PARAMETERS, 'force'], true);
  if (resource.verbs.includes('delete')) item.delete = operation('delete', DELETE_PARAMETERS, false);
  if (resource.verbs.includes('list')) list.get = operation('list', LIST_PARAMETERS, false);
  if (resource.verbs.includes('create')) list.post = operation('post', WRITE_PARAMETERS, true);
  return { [collection]: list, ...(Object.keys(item).length === 0 ? {} : { [`${collection}/{name}`]: item }) };
}

const WRITE_PARAMETERS = ['pretty', 'dryRun', 'fieldManager', 'fieldValidation'];
const DELETE_PARAMETERS = ['pretty', 'dryRun', 'gracePeriodSeconds', 'orphanDependents', 'propagationPolicy'];
const LIST_PARAMETERS = [
  'allowWatchBookmarks',
  'continue',
  'fieldSelector',
  'labelSelector',
  'limit',
  'resourceVersion',
  'resourceVersionMatch',
  'sendInitialEvents',
  'timeoutSeconds',
  'watch',
];
const INTEGER_PARAMETERS = new Set(['limit', 'timeoutSeconds', 'gracePeriodSeconds']);
const BOOLEAN_PARAMETERS = new Set(['allowWatchBookmarks', 'sendInitialEvents', 'watch', 'orphanDependents', 'force']);

function queryParameter(name: string): Json {
  const type = INTEGER_PARAMETERS.has(name) ? 'integer' : BOOLEAN_PARAMETERS.has(name) ? 'boolean' : 'string';
  return { name, in: 'query', schema: { type, uniqueItems: true } };
}

interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

class SchemaCollector {
  readonly collected: Json = {};

  /** A `$ref` to the type, which is taken in with all it leads to. */
  reference(typeName: string, gvk?: GroupVersionKind): Json {
    const name = componentName(typeName);
    if (this.collected[name] === undefined) {
      this.collected[name] = {};
      this.collected[name] = {
        ...this.objectSchema(typeName),
        ...(gvk && { 'x-kubernetes-group-version-kind': [gvk] }),
      };
    }
    return { $ref: `#/components/schemas/${name}` };
  }

  /** A `$ref` to the schema of a custom resource, with the fields that all resources have. */
  custom({ group, version, kind, custom }: ResourceDefinition, gvk: GroupVersionKind): Json {
    const name = [...group.split('.').reverse(), version, kind].join('.');
    const metadata = { allOf: [this.reference('meta.v1.ObjectMeta')] };
    this.collected[name] = {
      type: 'object',
      ...custom?.schema,
      properties: { apiVersion: { type: 'string' }, kind: { type: 'string' }, ...custom?.schema.properties, metadata },
      'x-kubernetes-group-version-kind': [gvk],
    };
    return { $ref: `#/components/schemas/${name}` };
  }

  private objectSchema(typeName: string): Json {
    const type = findType(typeName);
    if (type === undefined) return { type: 'object' };
    const described = describeType(typeName);
    const properties: Json = {};
    const required: string[] = [];
    for (const field of type.fields.values()) {
      const description = described?.fields.get(field.name);
      properties[field.name] = {
        ...(description === undefined ? {} : { description }),
        ...this.valueSchema(field.type),
        ...(field.patchStrategies.length === 0
          ? {}
          : { 'x-kubernetes-patch-strategy': field.patchStrategies.join(',') }),
        ...(field.mergeKey === undefined ? {} : { 'x-kubernetes-patch-merge-key': field.mergeKey }),
      };
      if (field.required) required.push(field.name);
    }
    return {
      ...(described === undefined ? {} : { description: described.description }),
      type: 'object',
      properties,
      ...(required.length === 0 ? {} : { required }),
    };
  }

  private valueSchema(type: FieldType): Json {
    switch (type.kind) {
      case 'object':
        return { allOf: [this.reference(type.typeName)] };
      case 'list':
        return { type: 'array', items: this.valueSchema(type.element) };
      case 'map':
        return { type: 'object', additionalProperties: this.valueSchema(type.element) };
      case 'scalar':
        return SCALAR_SCHEMAS[type.scalar];
    }
  }
}

const SCALAR_SCHEMAS: Readonly<Record<ScalarName, Json>> = {
  bool: { type: 'boolean' },
  bytes: { type: 'string', format: 'byte' },
  double: { type: 'number', format: 'double' },
  duration: { type: 'string' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  intstr: { type: 'string', format: 'int-or-string' },
  microtime: { type: 'string', format: 'date-time' },
  quantity: { type: 'string' },
  raw: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  string: { type: 'string' },
  time: { type: 'string', format: 'date-time' },
};

/** `core.v1.Pod` is `io.k8s.api.core.v1.Pod`, as clients know it. */
function componentName(typeName: string): string {
  if (typeName.startsWith('meta.')) return `io.k8s.apimachinery.pkg.apis.${typeName}`;
  if (typeName.startsWith('apiextensions.')) return `io.k8s.apiextensions-apiserver.pkg.apis.${typeName}`;
  return `io.k8s.api.${typeName}`;
}
