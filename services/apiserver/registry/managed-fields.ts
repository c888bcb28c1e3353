/**
 * Who set which fields (Kubernetes "Server-Side Apply", "Field management"). Writes of users are tracked always. Writes of
 * the cluster's own components are tracked on objects that have managers, and leave others without: every heartbeat and
 * every pod of a ReplicaSet would otherwise carry twice its size for nobody's use.
 */
import type { KubeObject } from '../../../shared/api/object.ts';
import { trackUpdate, type Writer } from '../../../shared/api/patch/managed-fields.ts';
import { apiVersionOf } from '../../../shared/api/resource.ts';
import { mergeTypeOfResource } from '../../../shared/api/schema/merge-type.ts';
import { formatTimestamp } from '../../../shared/api/timestamp.ts';
import type { ApiCall } from './api-call.ts';
import type { RegistryContext } from './registry-context.ts';

/** Gives an object that is about to be stored its managers; `current` is undefined when it is new. */
export type Tracker = (current: KubeObject | undefined, object: KubeObject) => KubeObject;

/** Of an apply: the managers are those of the configuration already. */
export const KEEP_MANAGERS: Tracker = (_current, object) => object;

export function trackerFor(context: RegistryContext, call: ApiCall, fieldManager: string | undefined): Tracker {
  return (current, object) => {
    const tracked = call.origin === 'client' || current?.metadata.managedFields !== undefined;
    if (!tracked) return withoutManagers(object);
    return trackUpdate(current, object, mergeTypeOfResource(call.definition), writerOf(context, call, fieldManager));
  };
}

export function writerOf(context: RegistryContext, call: ApiCall, fieldManager: string | undefined): Writer {
  return {
    manager: fieldManager || call.agent,
    apiVersion: apiVersionOf(call.definition),
    time: formatTimestamp(context.clock.nowMs()),
    ...(call.subresource === undefined ? {} : { subresource: call.subresource.name }),
  };
}

function withoutManagers(object: KubeObject): KubeObject {
  if (object.metadata.managedFields === undefined) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}
