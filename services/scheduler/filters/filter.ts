/** What a filter is: a question to one node about one pod, with the reason in the words that kubectl users know. */
import type { Namespace, Pod } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../shared/api/live.ts';
import type { NodeInfo, ScheduledPod } from '../node-info.ts';
import type { ResourceAmounts } from '../pod-request.ts';

export interface Refusal {
  /** `Insufficient cpu`, `node(s) didn't match Pod's node affinity/selector`. */
  readonly reason: string;
  /** False when no deletion of other pods could help on this node. */
  readonly preemptable: boolean;
}

/** The pod to place and everything that its placement depends on. */
export interface Placement {
  readonly pod: Live<Pod>;
  readonly request: ResourceAmounts;
  readonly nodes: readonly NodeInfo[];
  /** By node: pods of no less importance that room is being made for there. */
  readonly nominated: ReadonlyMap<string, readonly ScheduledPod[]>;
  /** Labels of the namespaces, for affinity terms with a namespaceSelector. */
  readonly namespaces: ReadonlyMap<string, Live<Namespace>>;
}

/** Empty when the node fits. */
export type NodeFilter = (info: NodeInfo) => readonly Refusal[];

/** Looks at the whole cluster once for a pod, then at each node. */
export type Filter = (placement: Placement) => NodeFilter;

export const FITS: readonly Refusal[] = [];

export function never(reason: string): readonly Refusal[] {
  return [{ reason, preemptable: false }];
}

export function notNow(reason: string): readonly Refusal[] {
  return [{ reason, preemptable: true }];
}
