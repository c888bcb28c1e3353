import { isJsonObject, type KubeObject } from '../api/object.ts';
import { decodeMessage, encodeMessage } from './codec.ts';
import { decodeKey, type ObjectKey, subjectPrefix } from './store-layout.ts';

/** One message of the store: the state of an object, or the last state of a deleted one. */
export interface StoreEntry {
  readonly key: ObjectKey;
  /** The stream sequence: the object's resourceVersion. */
  readonly revision: number;
  readonly deleted: boolean;
  /** With `metadata.resourceVersion` set to the revision. */
  readonly object: KubeObject;
}

/** As in every NATS KV bucket. */
export const OPERATION_HEADER = 'KV-Operation';
export const OPERATION_DELETE = 'DEL';

/** The stored form: the object without its resourceVersion, which is the sequence. */
export function encodeObject(object: KubeObject): Uint8Array {
  const { resourceVersion: _, ...metadata } = object.metadata;
  return encodeMessage({ ...object, metadata });
}

/** Undefined when subject or payload is not that of an object. */
export function decodeEntry(
  cluster: string,
  subject: string,
  payload: Uint8Array,
  revision: number,
  deleted: boolean,
): StoreEntry | undefined {
  const key = keyOfSubject(cluster, subject);
  if (key === undefined || payload.length === 0) return undefined;
  const object = decodeMessage(payload);
  if (!isKubeObject(object)) return undefined;
  object.metadata.resourceVersion = String(revision);
  return { key, revision, deleted, object };
}

/** Undefined when the subject is not that of an object. */
export function keyOfSubject(cluster: string, subject: string): ObjectKey | undefined {
  const prefix = subjectPrefix(cluster);
  return subject.startsWith(prefix) ? decodeKey(subject.slice(prefix.length)) : undefined;
}

function isKubeObject(value: unknown): value is KubeObject {
  return isJsonObject(value) && isJsonObject(value.metadata);
}
