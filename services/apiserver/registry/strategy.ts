/**
 * What one kind does differently from all others when it is written. Everything else is in create.ts, update.ts and
 * delete.ts; a kind with nothing to say has no strategy.
 */
import type { KubeObject } from '../../../shared/api/object.ts';
import type { User } from '../authentication/user.ts';
import type { DeleteOptions } from './request-options.ts';

export interface WriteContext {
  readonly dryRun: boolean;
  readonly user: User;
  readonly origin: 'client' | 'component';
  readonly nowMs: number;
  readonly warn: (message: string) => void;
}

/** Gives back what was taken (addresses, ports) when the object does not become the state. */
export type Undo = () => Promise<void>;

export interface Strategy {
  /** Completes a new object, after defaulting and before validation. The object may be changed in place. */
  create?(object: KubeObject, context: WriteContext): Promise<Undo | undefined> | undefined;
  /** Takes what the object needs from the cluster, after validation. */
  allocate?(object: KubeObject, context: WriteContext): Promise<Undo | undefined>;
  /** Completes an update of everything but the status; `old` is the present state. */
  update?(object: KubeObject, old: KubeObject, context: WriteContext): Promise<Undo | undefined> | undefined;
  /** After a write to the store: gives back what the new state does not hold any more. */
  updated?(object: KubeObject, old: KubeObject): Promise<void>;
  /** After the object is gone from the store. */
  deleted?(object: KubeObject): Promise<void>;
  /** Throws when the object may not be deleted. */
  checkDelete?(object: KubeObject): void;
  /** How long the object lives on after the request; 0 removes it at once. The default is 0. */
  gracePeriodSeconds?(object: KubeObject, options: DeleteOptions): number;
  /** Who, beside metadata.finalizers, holds the object back (spec.finalizers of a Namespace). */
  holds?(object: KubeObject): boolean;
  /** Changes that come with the mark of deletion (phase Terminating). */
  markDeleted?(object: KubeObject): void;
  /** A DELETE answers with the object instead of a Status. */
  readonly returnsDeleted?: boolean;
}
