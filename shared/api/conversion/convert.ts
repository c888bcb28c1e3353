/** Between the version that a client speaks and the one that is stored (`storage` in the registry). */
import { applySchemaDefaults } from '../custom-resource/default.ts';
import { pruneResource } from '../custom-resource/prune.ts';
import type { StructuralSchema } from '../custom-resource/structural-schema.ts';
import type { KubeObject } from '../object.ts';
import type { ResourceDefinition } from '../registry.ts';
import { apiVersionOf, type ResourceRef } from '../resource.ts';
import { eventFromCore, eventToCore } from './event.ts';
import { autoscalerToV1, autoscalerToV2 } from './horizontal-pod-autoscaler.ts';

interface Conversion {
  readonly toStorage: (object: KubeObject) => KubeObject;
  readonly fromStorage: (object: KubeObject) => KubeObject;
}

/** By the schema of the served kind; kinds not named here differ from what is stored in nothing but the version's name. */
const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  'autoscaling.v1.HorizontalPodAutoscaler': { toStorage: autoscalerToV2, fromStorage: autoscalerToV1 },
  'events.v1.Event': { toStorage: eventToCore, fromStorage: eventFromCore },
};

export function toStorage(object: KubeObject, definition: ResourceDefinition): KubeObject {
  if (definition.custom !== undefined) return { ...object, apiVersion: apiVersionOf(definition.storage) };
  return CONVERSIONS[definition.schema]?.toStorage(object) ?? withVersion(object, definition.storage);
}

export function fromStorage(object: KubeObject, definition: ResourceDefinition): KubeObject {
  if (definition.custom !== undefined) return customFromStorage(object, definition, definition.custom.schema);
  return CONVERSIONS[definition.schema]?.fromStorage(object) ?? withVersion(object, definition);
}

function withVersion(object: KubeObject, version: ResourceRef): KubeObject {
  const apiVersion = apiVersionOf(version);
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
}

/** Strategy None: the versions differ in name only. What was stored under an older schema is read by the present one. */
function customFromStorage(object: KubeObject, definition: ResourceDefinition, schema: StructuralSchema): KubeObject {
  const { metadata } = object;
  const read: KubeObject = { ...structuredClone(pruneResource(object, schema).object), metadata };
  applySchemaDefaults(read, schema);
  return { ...read, apiVersion: apiVersionOf(definition), kind: definition.kind };
}
