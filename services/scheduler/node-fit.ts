/** Which nodes a pod fits on, and why it does not on the others (Kubernetes documentation, "Scheduling Framework", filters). */
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
import { type NodeInfo, withPods } from './node-info.ts';

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

export interface NodeFit {
  readonly fitting: readonly NodeInfo[];
  readonly refused: ReadonlyMap<NodeInfo, readonly Refusal[]>;
}

type NodeFilters = readonly ReturnType<Filter>[];

/**
 * A node fits when it does both as it is and with the pods that room is being made for on it: neither may those come to
 * nothing, nor may the pod rely on them.
 */
export function nodeFit(placement: Placement): NodeFit {
  const present = FILTERS.map((filter) => filter(placement));
  const expected = placement.nominated.size === 0 ? undefined : withNominated(placement);
  const expectedFilters = expected === undefined ? [] : FILTERS.map((filter) => filter(expected));
  const fitting: NodeInfo[] = [];
  const refused = new Map<NodeInfo, readonly Refusal[]>();
  for (const [index, info] of placement.nodes.entries()) {
    const now = firstRefusal(present, info);
    const later = expected === undefined ? now : firstRefusal(expectedFilters, expected.nodes[index] as NodeInfo);
    const refusals = now.length > 0 ? now : later;
    if (refusals.length === 0) fitting.push(info);
    else refused.set(info, refusals);
  }
  return { fitting, refused };
}

/** Why the pod does not fit on a node in place of which `trial` is thought; empty when it does. */
export function refusalsIf(placement: Placement, info: NodeInfo, trial: NodeInfo): readonly Refusal[] {
  const nodes = placement.nodes.map((each) => (each === info ? trial : each));
  return nodeFit({ ...placement, nodes }).refused.get(trial) ?? [];
}

function withNominated(placement: Placement): Placement {
  const nodes = placement.nodes.map((info) => {
    const coming = placement.nominated.get(info.node.metadata.name);
    return coming === undefined ? info : withPods(info, [...info.pods.values(), ...coming]);
  });
  return { ...placement, nodes };
}

function firstRefusal(filters: NodeFilters, info: NodeInfo): readonly Refusal[] {
  for (const filter of filters) {
    const refused = filter(info);
    if (refused.length > 0) return refused;
  }
  return [];
}
