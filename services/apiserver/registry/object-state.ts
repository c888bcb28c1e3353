/** Which part of an object who may write: metadata that the server owns, spec, status. */
import { randomUUID } from 'node:crypto';
import { isSame } from '../../../shared/api/json-equality.ts';
import type { KubeObject, ObjectMeta } from '../../../shared/api/object.ts';
import type { ResourceDefinition } from '../../../shared/api/registry.ts';
import { apiVersionOf } from '../../../shared/api/resource.ts';
import { formatTimestamp } from '../../../shared/api/timestamp.ts';
import { nameSuffix, type Random } from '../../../shared/runtime/random.ts';

const MAX_GENERATED_PREFIX = 58;

/** `web-` gives `web-x2x5z`; a long prefix is cut so that the whole fits a DNS label. */
export function generatedName(prefix: string, random: Random): string {
  return prefix.slice(0, MAX_GENERATED_PREFIX) + nameSuffix(random);
}

export function hasStatusSubresource(definition: ResourceDefinition): boolean {
  return definition.subresources.some((subresource) => subresource.name === 'status');
}

/** The metadata of a new object: what the client said, and what only the server says. */
export function newMetadata(sent: ObjectMeta, nowMs: number): ObjectMeta {
  const { resourceVersion: _, selfLink: __, deletionTimestamp: ___, deletionGracePeriodSeconds: ____, ...kept } = sent;
  return { ...kept, uid: randomUUID(), creationTimestamp: formatTimestamp(nowMs), generation: undefined };
}

/** The metadata of an update: the server's fields stay as they are. */
export function updatedMetadata(sent: ObjectMeta, old: ObjectMeta): ObjectMeta {
  return withoutUndefined({
    ...sent,
    name: old.name,
    namespace: old.namespace,
    uid: old.uid,
    creationTimestamp: old.creationTimestamp,
    generation: old.generation,
    generateName: old.generateName,
    deletionTimestamp: old.deletionTimestamp,
    deletionGracePeriodSeconds: old.deletionGracePeriodSeconds,
    resourceVersion: undefined,
    selfLink: undefined,
  });
}

function withoutUndefined<T extends object>(object: T): T {
  // Only fields that the type says may be absent are dropped.
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

/** Same content; the resourceVersion does not count. */
export function sameObject(a: KubeObject, b: KubeObject): boolean {
  const strip = ({ metadata, ...rest }: KubeObject) => {
    const { resourceVersion: _, ...kept } = metadata;
    return { ...rest, metadata: kept };
  };
  return isSame(strip(a), strip(b));
}

/** Kinds whose generation counts are those that have something to be reconciled. */
export function countsGeneration(definition: ResourceDefinition, object: KubeObject): boolean {
  if (definition.custom !== undefined) return true;
  if (definition.group === '' && NO_GENERATION.has(definition.resource)) return false;
  return object.spec !== undefined;
}

const NO_GENERATION = new Set([
  'nodes',
  'services',
  'namespaces',
  'persistentvolumes',
  'resourcequotas',
  'limitranges',
]);

/** Whether anything but metadata and status differs; a custom resource's status is one by its subresource only. */
export function desiredStateDiffers(definition: ResourceDefinition, a: KubeObject, b: KubeObject): boolean {
  const countsStatus = definition.custom !== undefined && !hasStatusSubresource(definition);
  const strip = ({ metadata: _, status, ...rest }: KubeObject) => (countsStatus ? { ...rest, status } : rest);
  return !isSame(strip(a), strip(b));
}

/** A status update: the status of the one that was sent on the state that is there. */
export function withStatusOf(sent: KubeObject, old: KubeObject, definition: ResourceDefinition): KubeObject {
  const metadata = { ...old.metadata };
  if (definition.group === '' && STATUS_WRITES_METADATA.has(definition.resource)) {
    const { labels, annotations } = sent.metadata;
    Object.assign(metadata, { labels, annotations });
  }
  if (sent.metadata.managedFields !== undefined) metadata.managedFields = sent.metadata.managedFields;
  return { ...old, metadata: withoutUndefined(metadata), status: sent.status };
}

/** A kubelet's status update may carry labels and annotations of its node and pods. */
const STATUS_WRITES_METADATA = new Set(['nodes', 'pods']);

export function typed(object: KubeObject, definition: ResourceDefinition): KubeObject {
  return { ...object, apiVersion: apiVersionOf(definition), kind: definition.kind };
}
