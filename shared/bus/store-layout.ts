/**
 * Where objects stand in the store: one JetStream stream in the layout of a NATS KV bucket.
 *
 *   stream  KV_podwire-<cluster>
 *   subject $KV.podwire-<cluster>.<group|core>.<resource>.<namespace|_>.<name>
 *
 * A token keeps [A-Za-z0-9_-]; every other byte of its UTF-8 form is written `=hh`, so that names with dots stay one token.
 */
import type { ResourceRef } from '../api/resource.ts';

/** A NATS server ends the connection of who sends a longer line (4096), which has a reply's subject and sizes too. */
export const MAX_SUBJECT_LENGTH = 3800;

const PLAIN = /^[A-Za-z0-9_-]+$/;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** The namespace token of cluster-scoped objects; no namespace can be named so. */
const NO_NAMESPACE = '_';
/** The group token of the core group. */
const CORE_GROUP = 'core';

export interface ObjectKey {
  /** Empty for the core group. */
  readonly group: string;
  readonly resource: string;
  /** Absent for cluster-scoped objects. */
  readonly namespace?: string;
  readonly name: string;
}

/** Throws for an empty text: a subject has no empty token. */
export function encodeToken(text: string): string {
  if (PLAIN.test(text)) return text;
  if (text === '') throw new Error('a key token cannot be empty');
  let token = '';
  for (const byte of encoder.encode(text)) {
    const character = String.fromCharCode(byte);
    token += byte < 0x80 && PLAIN.test(character) ? character : `=${byte.toString(16).padStart(2, '0')}`;
  }
  return token;
}

/** Undefined when the token is not one that `encodeToken` writes. */
export function decodeToken(token: string): string | undefined {
  if (PLAIN.test(token)) return token;
  if (!/^([A-Za-z0-9_-]|=[0-9a-f]{2})+$/.test(token)) return undefined;
  const bytes: number[] = [];
  for (let i = 0; i < token.length; i++) {
    if (token[i] === '=') {
      bytes.push(Number.parseInt(token.slice(i + 1, i + 3), 16));
      i += 2;
    } else {
      bytes.push(token.charCodeAt(i));
    }
  }
  try {
    const text = decoder.decode(Uint8Array.from(bytes));
    return encodeToken(text) === token ? text : undefined;
  } catch {
    return undefined;
  }
}

export function objectKey(
  resource: Pick<ResourceRef, 'group' | 'resource'>,
  name: string,
  namespace?: string,
): ObjectKey {
  return { group: resource.group, resource: resource.resource, namespace: namespace || undefined, name };
}

export function encodeKey(key: ObjectKey): string {
  const group = key.group === '' ? CORE_GROUP : encodeToken(key.group);
  const namespace = key.namespace === undefined ? NO_NAMESPACE : encodeToken(key.namespace);
  return `${group}.${encodeToken(key.resource)}.${namespace}.${encodeToken(key.name)}`;
}

/** Undefined when the text is not a key. */
export function decodeKey(text: string): ObjectKey | undefined {
  const tokens = text.split('.');
  if (tokens.length !== 4) return undefined;
  const [group, resource, namespace, name] = tokens.map(decodeToken);
  if (group === undefined || resource === undefined || namespace === undefined || name === undefined) return undefined;
  return {
    group: group === CORE_GROUP ? '' : group,
    resource,
    namespace: namespace === NO_NAMESPACE ? undefined : namespace,
    name,
  };
}

export function bucketName(cluster: string): string {
  return `podwire-${cluster}`;
}

export function streamName(cluster: string): string {
  return `KV_${bucketName(cluster)}`;
}

/** Before every key in a subject. */
export function subjectPrefix(cluster: string): string {
  return `$KV.${bucketName(cluster)}.`;
}

/** The subject filter of all objects of a resource, or of those in one namespace. */
export function resourceFilter(
  cluster: string,
  resource: Pick<ResourceRef, 'group' | 'resource'>,
  namespace?: string,
): string {
  const group = resource.group === '' ? CORE_GROUP : encodeToken(resource.group);
  const rest = namespace === undefined ? '>' : `${encodeToken(namespace)}.*`;
  return `${subjectPrefix(cluster)}${group}.${encodeToken(resource.resource)}.${rest}`;
}

/** The filter of everything in the store, marker included. */
export function storeFilter(cluster: string): string {
  return `${subjectPrefix(cluster)}>`;
}

/**
 * Holds the highest revision whose tombstone was discarded: who last looked before it may have missed a deletion.
 * Has one token, so it is no object's key.
 */
export function compactionSubject(cluster: string): string {
  return `${subjectPrefix(cluster)}compacted`;
}
