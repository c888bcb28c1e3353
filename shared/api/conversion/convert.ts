/** Between the version that a client speaks and the one that is stored (`storage` in the registry). */
import type { KubeObject } from '../object.ts';
import type { ResourceDefinition } from '../registry.ts';
import { eventFromCore, eventToCore } from './event.ts';
import { autoscalerToV1, autoscalerToV2 } from './horizontal-pod-autoscaler.ts';

interface Conversion {
  readonly toStorage: (object: KubeObject) => KubeObject;
  readonly fromStorage: (object: KubeObject) => KubeObject;
}

/** By the schema of the served kind; kinds not named here are stored as they are served. */
const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  'autoscaling.v1.HorizontalPodAutoscaler': { toStorage: autoscalerToV2, fromStorage: autoscalerToV1 },
  'events.v1.Event': { toStorage: eventToCore, fromStorage: eventFromCore },
};

export function toStorage(object: KubeObject, definition: ResourceDefinition): KubeObject {
  return CONVERSIONS[definition.schema]?.toStorage(object) ?? object;
}

export function fromStorage(object: KubeObject, definition: ResourceDefinition): KubeObject {
  return CONVERSIONS[definition.schema]?.fromStorage(object) ?? object;
}
