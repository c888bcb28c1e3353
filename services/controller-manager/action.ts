/** What a controller wants done: plain data, so that a reconcile is a function and its test a table. */
import type { ResourceRef } from '../../shared/api/resource.ts';

/** The object an event speaks of. */
export interface EventSubject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
}

export type Action =
  | { readonly kind: 'create'; readonly resource: ResourceRef; readonly object: object }
  | { readonly kind: 'update'; readonly resource: ResourceRef; readonly object: object }
  | { readonly kind: 'update-status'; readonly resource: ResourceRef; readonly object: object }
  | {
      readonly kind: 'patch';
      readonly resource: ResourceRef;
      readonly name: string;
      readonly namespace: string | undefined;
      readonly type: 'merge' | 'strategic' | 'json';
      readonly body: unknown;
      readonly subresource?: string;
    }
  | {
      readonly kind: 'delete';
      readonly resource: ResourceRef;
      readonly name: string;
      readonly namespace: string | undefined;
      /** The delete is refused when the object was replaced meanwhile. */
      readonly uid?: string;
      readonly gracePeriodSeconds?: number;
      readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
      /** Of a pod that its controller removes: what is told of it stands there. */
      readonly owner?: EventSubject;
    }
  /** PUT of the whole object to a subresource: `namespaces/finalize`. */
  | {
      readonly kind: 'update-subresource';
      readonly resource: ResourceRef;
      readonly subresource: string;
      readonly object: object;
    }
  | {
      readonly kind: 'event';
      readonly about: EventSubject;
      readonly type: 'Normal' | 'Warning';
      readonly reason: string;
      readonly message: string;
    }
  /** Batches of 1, 2, 4, ... that stop at the first failure, so that a broken template costs one refused write. */
  | { readonly kind: 'slow-start'; readonly actions: readonly Action[] };

export interface Outcome {
  readonly actions: readonly Action[];
  /** Look again after this long even when nothing changes. */
  readonly requeueAfterMs?: number;
}

export const NOTHING: Outcome = { actions: [] };
