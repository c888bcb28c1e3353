/**
 * Where a pod goes: filters say which nodes fit, scores which of them is best; among equals a random number decides. Where none
 * fits, pods of lower priority may make room. A function of its arguments (Kubernetes documentation, "Scheduling Framework").
 */
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.js';
import type { Live } from '../../shared/api/live.ts';
import type { Placement } from './filters/filter.ts';
import { nodeFit } from './node-fit.ts';
import type { NodeInfo } from './node-info.ts';
import { type Preemption, preempt, reasonCounts } from './preemption.ts';
import { leastAllocated, nodeAffinityScore, taintScore } from './scores/node-scores.ts';
import { normalize, type Score } from './scores/score.ts';
import { podAffinityScore, topologySpreadScore } from './scores/spread-scores.ts';

const SCORES: readonly Score[] = [taintScore, nodeAffinityScore, leastAllocated, topologySpreadScore, podAffinityScore];

export type Decision =
  | { readonly kind: 'bind'; readonly nodeName: string }
  /** `message`: `0/3 nodes are available: ...`. */
  | {
      readonly kind: 'unschedulable';
      readonly message: string;
      readonly preemption?: Preemption;
      /** Those that make room for it have not gone yet. */
      readonly victimsAreLeaving?: true;
    };

export function schedule(
  placement: Placement,
  random: () => number,
  budgets: readonly Live<PodDisruptionBudget>[] = [],
): Decision {
  const { nodes } = placement;
  const fit = nodeFit(placement);
  if (fit.fitting.length > 0) {
    return { kind: 'bind', nodeName: best(placement, fit.fitting, random).node.metadata.name };
  }
  if (nodes.length === 0) return { kind: 'unschedulable', message: 'no nodes available to schedule pods' };
  const reasons = [...fit.refused.values()].flat().map(({ reason }) => reason);
  const message = `0/${nodes.length} nodes are available: ${reasonCounts(reasons)}.`;
  const outcome = preempt(placement, fit, budgets);
  if ('text' in outcome) {
    const { text, victimsAreLeaving } = outcome;
    return { kind: 'unschedulable', message: `${message} ${text}`, victimsAreLeaving };
  }
  return { kind: 'unschedulable', message, preemption: outcome };
}

function best(placement: Placement, fitting: readonly NodeInfo[], random: () => number): NodeInfo {
  const totals = new Array<number>(fitting.length).fill(0);
  if (fitting.length > 1) {
    for (const score of SCORES) {
      const normalized = normalize(score.raw(placement, fitting), score.scale);
      for (const [index, value] of normalized.entries()) totals[index] = (totals[index] ?? 0) + value * score.weight;
    }
  }
  const highest = Math.max(...totals);
  const winners = fitting.filter((_, index) => (totals[index] ?? 0) === highest);
  return winners[Math.floor(random() * winners.length)] ?? (fitting[0] as NodeInfo);
}
