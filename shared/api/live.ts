/** Objects as the API server returns them: what it fills in is there, so that readers need not ask for it. */
import type { ObjectMeta } from './object.ts';

export interface LiveMeta extends ObjectMeta {
  name: string;
  uid: string;
  creationTimestamp: string;
  resourceVersion: string;
}

type WithSpec<T> = T extends { spec?: infer S } ? { spec: NonNullable<S> } : unknown;

/** `Live<Pod>`: a Pod whose metadata and spec are known to be there. */
export type Live<T> = T & { metadata: LiveMeta } & WithSpec<T>;

/** Milliseconds since 1970 of an RFC 3339 time; 0 when there is none or it cannot be read. */
export function timeMs(text: string | undefined | null): number {
  const atMs = text === undefined || text === null ? Number.NaN : Date.parse(text);
  return Number.isNaN(atMs) ? 0 : atMs;
}
