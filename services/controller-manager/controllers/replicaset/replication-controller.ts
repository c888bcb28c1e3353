/** ReplicationController: a ReplicaSet whose selector is a plain map of labels. */
import type { ReplicaSet } from 'kubernetes-types/apps/v1.js';
import type { Pod, ReplicationController } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../../shared/api/live.ts';
import { REPLICATIONCONTROLLERS } from '../../../../shared/api/resources.ts';
import type { Outcome } from '../../action.ts';
import { reconcileReplicaSet } from './replicaset.ts';

export interface ReplicationControllerState {
  readonly controller: Live<ReplicationController>;
  /** All pods of the namespace. */
  readonly pods: readonly Live<Pod>[];
  /** Why the last round's writes failed, for the ReplicaFailure condition. */
  readonly lastFailure?: string;
}

export function reconcileReplicationController(
  { controller, pods, lastFailure }: ReplicationControllerState,
  nowMs: number,
): Outcome {
  const replicaSet = asReplicaSet(controller);
  const outcome = reconcileReplicaSet({ resource: REPLICATIONCONTROLLERS, replicaSet, pods, lastFailure }, nowMs);
  const actions = outcome.actions.map((action) =>
    action.kind === 'update-status'
      ? { ...action, object: { ...controller, status: statusIn(action.object) } }
      : action,
  );
  return { ...outcome, actions };
}

function asReplicaSet({ metadata, spec, status }: Live<ReplicationController>): Live<ReplicaSet> {
  const { selector = {}, ...rest } = spec;
  // The status has the same fields in both kinds.
  return { metadata, spec: { ...rest, selector: { matchLabels: selector } }, status } as Live<ReplicaSet>;
}

function statusIn(object: object): unknown {
  return Reflect.get(object, 'status');
}
