/**
 * How values merge under server-side apply: which lists are sets or are keyed, which maps are taken whole (Kubernetes
 * documentation, "Server-Side Apply", "Merge strategy"). Lists with a merge key are keyed by it unless said otherwise
 * here; the tables hold what the Go types keep in comments only.
 */
import { fieldAt, isJsonObject } from '../object.ts';
import type { ResourceDefinition } from '../registry.ts';
import { type FieldSchema, type FieldType, findType, typeNamed } from './schema.ts';

export type MergeType =
  /** Taken whole: scalars, atomic lists and maps. */
  | { readonly kind: 'leaf'; readonly isQuantity?: boolean }
  /** Of unknown type: objects merge field by field, lists are taken whole. */
  | { readonly kind: 'deduced' }
  | { readonly kind: 'object'; readonly field: (name: string) => MergeType }
  /** A list of scalars in which each value stands once. */
  | { readonly kind: 'set' }
  | { readonly kind: 'keyed'; readonly keys: readonly string[]; readonly element: MergeType };

export type ListTopology =
  | { readonly kind: 'atomic' }
  | { readonly kind: 'set' }
  | { readonly kind: 'map'; readonly keys: readonly string[] };

const ATOMIC: ListTopology = { kind: 'atomic' };

/** By `type.field`. */
const LISTS: Readonly<Record<string, ListTopology>> = {
  'apiextensions.v1.CustomResourceDefinitionStatus.conditions': { kind: 'map', keys: ['type'] },
  'batch.v1.JobStatus.conditions': ATOMIC,
  'core.v1.Container.ports': { kind: 'map', keys: ['containerPort', 'protocol'] },
  'core.v1.EphemeralContainer.ports': { kind: 'map', keys: ['containerPort', 'protocol'] },
  'core.v1.PodSpec.topologySpreadConstraints': { kind: 'map', keys: ['topologyKey', 'whenUnsatisfiable'] },
  'core.v1.PodStatus.hostIPs': ATOMIC,
  'core.v1.ResourceRequirements.claims': { kind: 'map', keys: ['name'] },
  'core.v1.ServiceSpec.ports': { kind: 'map', keys: ['port', 'protocol'] },
  'networking.v1.ServiceCIDRStatus.conditions': { kind: 'map', keys: ['type'] },
};

/** What a key field is when an element leaves it out. */
export const KEY_DEFAULTS: Readonly<Record<string, unknown>> = { protocol: 'TCP' };

const ATOMIC_TYPES = new Set([
  'autoscaling.v1.CrossVersionObjectReference',
  'core.v1.ConfigMapKeySelector',
  'core.v1.ConfigMapNodeConfigSource',
  'core.v1.EndpointAddress',
  'core.v1.EndpointPort',
  'core.v1.LocalObjectReference',
  'core.v1.NodeSelector',
  'core.v1.NodeSelectorTerm',
  'core.v1.ObjectFieldSelector',
  'core.v1.ObjectReference',
  'core.v1.ResourceFieldSelector',
  'core.v1.ScopeSelector',
  'core.v1.ScopedResourceSelectorRequirement',
  'core.v1.SecretKeySelector',
  'core.v1.SecretReference',
  'core.v1.TopologySelectorTerm',
  'core.v1.TypedLocalObjectReference',
  'discovery.v1.EndpointPort',
  'meta.v1.LabelSelector',
  'networking.v1.ServiceBackendPort',
  'rbac.v1.RoleRef',
  'rbac.v1.Subject',
]);

const ATOMIC_MAPS = new Set([
  'core.v1.PodSpec.nodeSelector',
  'core.v1.ReplicationControllerSpec.selector',
  'core.v1.ServiceSpec.selector',
]);

export function isAtomicType(typeName: string): boolean {
  return ATOMIC_TYPES.has(typeName);
}

export function isAtomicMap(typeName: string, fieldName: string): boolean {
  return ATOMIC_MAPS.has(`${typeName}.${fieldName}`);
}

/** Also what `x-kubernetes-list-type` and `x-kubernetes-list-map-keys` say. */
export function listTopology(typeName: string, field: FieldSchema): ListTopology {
  const stated = LISTS[`${typeName}.${field.name}`];
  if (stated !== undefined) return stated;
  if (!field.patchStrategies.includes('merge')) return ATOMIC;
  return field.mergeKey === undefined ? { kind: 'set' } : { kind: 'map', keys: [field.mergeKey] };
}

const LEAF: MergeType = { kind: 'leaf' };
const QUANTITY: MergeType = { kind: 'leaf', isQuantity: true };
const DEDUCED: MergeType = { kind: 'deduced' };

const mergeTypes = new Map<string, MergeType>();

/** Of any kind that is served. */
export function mergeTypeOfResource({ schema, custom }: Pick<ResourceDefinition, 'schema' | 'custom'>): MergeType {
  return custom === undefined ? mergeTypeOf(schema) : mergeTypeOfCustomResource(custom.schema);
}

/** Of a built-in kind. */
export function mergeTypeOf(typeName: string): MergeType {
  const known = mergeTypes.get(typeName);
  if (known !== undefined) return known;
  const type = findType(typeName) === undefined ? DEDUCED : objectMergeType(typeName);
  mergeTypes.set(typeName, type);
  return type;
}

function objectMergeType(typeName: string): MergeType {
  if (isAtomicType(typeName)) return LEAF;
  const { fields } = typeNamed(typeName);
  return {
    kind: 'object',
    field: (name) => {
      const field = fields.get(name);
      return field === undefined ? DEDUCED : fieldMergeType(typeName, field);
    },
  };
}

function fieldMergeType(typeName: string, field: FieldSchema): MergeType {
  switch (field.type.kind) {
    case 'list': {
      const topology = listTopology(typeName, field);
      if (topology.kind === 'atomic') return LEAF;
      if (topology.kind === 'set') return { kind: 'set' };
      return { kind: 'keyed', keys: topology.keys, element: valueMergeType(field.type.element) };
    }
    case 'map': {
      if (isAtomicMap(typeName, field.name)) return LEAF;
      const element = valueMergeType(field.type.element);
      return { kind: 'object', field: () => element };
    }
    default:
      return valueMergeType(field.type);
  }
}

function valueMergeType(type: FieldType): MergeType {
  if (type.kind === 'object') return mergeTypeOf(type.typeName);
  return type.kind === 'scalar' && type.scalar === 'quantity' ? QUANTITY : LEAF;
}

function mergeTypeOfCustomResource(schema: unknown): MergeType {
  const type = mergeTypeOfOpenApi(schema);
  const fields = type.kind === 'object' ? type.field : () => DEDUCED;
  return { kind: 'object', field: (name) => (name === 'metadata' ? mergeTypeOf('meta.v1.ObjectMeta') : fields(name)) };
}

/** Of a custom resource, by its OpenAPI v3 schema (`x-kubernetes-list-type`, `x-kubernetes-map-type`). */
export function mergeTypeOfOpenApi(schema: unknown): MergeType {
  if (!isJsonObject(schema)) return DEDUCED;
  if (schema['x-kubernetes-map-type'] === 'atomic') return LEAF;
  if (schema.type === 'array') return openApiList(schema);
  if (isJsonObject(schema.properties)) {
    return {
      kind: 'object',
      field: (name) =>
        name === 'metadata'
          ? mergeTypeOf('meta.v1.ObjectMeta')
          : mergeTypeOfOpenApi(fieldAt(schema, 'properties', name)),
    };
  }
  if (isJsonObject(schema.additionalProperties)) {
    return { kind: 'object', field: () => mergeTypeOfOpenApi(schema.additionalProperties) };
  }
  return DEDUCED;
}

function openApiList(schema: Record<string, unknown>): MergeType {
  const keys = schema['x-kubernetes-list-map-keys'];
  if (schema['x-kubernetes-list-type'] === 'set') return { kind: 'set' };
  if (schema['x-kubernetes-list-type'] !== 'map' || !Array.isArray(keys)) return LEAF;
  return { kind: 'keyed', keys: keys.map(String), element: mergeTypeOfOpenApi(schema.items) };
}
