/** Events in their two forms, core/v1 (stored) and events.k8s.io/v1: the same object under other field names. */
import { isJsonObject, type JsonObject, type KubeObject } from '../object.ts';

type Renaming = readonly (readonly [core: string, events: string])[];

const FIELDS: Renaming = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['reportingComponent', 'reportingController'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
];

function renamed(object: JsonObject, names: ReadonlyMap<string, string>): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([field, value]) => [names.get(field) ?? field, value]));
}

const TO_EVENTS = new Map(FIELDS.map(([core, events]) => [core, events]));
const TO_CORE = new Map(FIELDS.map(([core, events]) => [events, core]));

/** As `events.k8s.io/v1` serves it. */
export function eventFromCore(event: KubeObject): KubeObject {
  return { ...(renamed(event, TO_EVENTS) as KubeObject), apiVersion: 'events.k8s.io/v1' };
}

/** As it is stored. */
export function eventToCore(event: KubeObject): KubeObject {
  const core: KubeObject = { ...(renamed(event, TO_CORE) as KubeObject), apiVersion: 'v1' };
  if (!isJsonObject(core.source)) core.source = {};
  return core;
}
