/**
 * Where a pod goes: filters say which nodes fit, scores which of them is best; among equals a random number decides.
 * A function of its arguments (Kubernetes documentation, "Scheduling Framework").
 */
import type { Filter, Placement, Refusal } from './filters/filter.ts';
import {
  nodeAffinity,
  nodeName,
  nodePorts,
  nodeResources,
  nodeUnschedulable,
  taintToleration,
} from './filters/node-filters.ts';
import { podAffinity } from './filters/pod-affinity.ts';
import { topologySpread } from './filters/topology-spread-filter.ts';
import type { NodeInfo } from './node-info.ts';
import { leastAllocated, nodeAffinityScore, taintScore } from './scores/node-scores.ts';
import { normalize, type Score } from './scores/score.ts';
import { podAffinityScore, topologySpreadScore } from './scores/spread-scores.ts';
import { unschedulableMessage } from './unschedulable-message.ts';

/** In the original's order: the first that refuses names the reason. */
const FILTERS: readonly Filter[] = [
  nodeUnschedulable,
  nodeName,
  taintToleration,
  nodeAffinity,
  nodePorts,
  nodeResources,
  topologySpread,
  podAffinity,
];

const SCORES: readonly Score[] = [taintScore, nodeAffinityScore, leastAllocated, topologySpreadScore, podAffinityScore];

export type Decision =
  | { readonly kind: 'bind'; readonly nodeName: string }
  /** `message`: `0/3 nodes are available: ...`. */
  | { readonly kind: 'unschedulable'; readonly message: string };

export function schedule(placement: Placement, random: () => number): Decision {
  const { nodes } = placement;
  const nodeFilters = FILTERS.map((filter) => filter(placement));
  const refusals: Refusal[][] = [];
  const fitting: NodeInfo[] = [];
  for (const info of nodes) {
    const refused = firstRefusal(nodeFilters, info);
    if (refused.length === 0) fitting.push(info);
    else refusals.push([...refused]);
  }
  if (fitting.length === 0) return { kind: 'unschedulable', message: unschedulableMessage(nodes.length, refusals) };
  return { kind: 'bind', nodeName: best(placement, fitting, random).node.metadata.name };
}

function firstRefusal(filters: readonly ReturnType<Filter>[], info: NodeInfo): readonly Refusal[] {
  for (const filter of filters) {
    const refused = filter(info);
    if (refused.length > 0) return refused;
  }
  return [];
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
