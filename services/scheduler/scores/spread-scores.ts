/** Scores that look at where other pods are. */
import type { TopologySpreadConstraint, WeightedPodAffinityTerm } from 'kubernetes-types/core/v1.js';
import { controllerOf } from '../../../shared/api/object.ts';
import { compileTerm } from '../affinity-term.ts';
import type { Placement } from '../filters/filter.ts';
import type { NodeInfo } from '../node-info.ts';
import { spreadCounts } from '../topology-spread.ts';
import type { Score } from './score.ts';

/** Soft constraints; a pod without any is spread with its siblings over nodes and zones, as the cluster's default has it. */
export const topologySpreadScore: Score = {
  name: 'PodTopologySpread',
  weight: 2,
  scale: 'lowest-is-best',
  raw(placement, nodes) {
    const own = placement.pod.spec.topologySpreadConstraints ?? [];
    const soft = own.filter(({ whenUnsatisfiable }) => whenUnsatisfiable === 'ScheduleAnyway');
    if (own.length > 0) return softCounts(soft, placement, nodes);
    return siblingCounts(placement, nodes);
  },
};

function softCounts(
  constraints: readonly TopologySpreadConstraint[],
  placement: Placement,
  nodes: readonly NodeInfo[],
): number[] {
  const counts = constraints.map((constraint) => spreadCounts(constraint, placement));
  return nodes.map(({ node }) =>
    counts.reduce((sum, { constraint, byDomain }) => {
      const value = node.metadata.labels?.[constraint.topologyKey];
      // Rare domains weigh more: a zone counts for all its nodes.
      return sum + (value === undefined ? 0 : (byDomain.get(value) ?? 0) * Math.log(byDomain.size + 2));
    }, 0),
  );
}

const HOSTNAME = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';

/** Pods of the same controller on the node (maxSkew 3) and in its zone (maxSkew 5). */
function siblingCounts({ pod, nodes: all }: Placement, nodes: readonly NodeInfo[]): number[] {
  const owner = controllerOf(pod)?.uid;
  if (owner === undefined) return nodes.map(() => 0);
  const perNode = new Map<string, number>();
  const perZone = new Map<string, number>();
  for (const { node, byController } of all) {
    const count = byController.get(owner) ?? 0;
    perNode.set(node.metadata.labels?.[HOSTNAME] ?? node.metadata.name, count);
    const zone = node.metadata.labels?.[ZONE];
    if (zone !== undefined) perZone.set(zone, (perZone.get(zone) ?? 0) + count);
  }
  return nodes.map(({ node: { metadata } }) => {
    const onNode = perNode.get(metadata.labels?.[HOSTNAME] ?? metadata.name) ?? 0;
    const inZone = perZone.get(metadata.labels?.[ZONE] ?? '') ?? 0;
    return onNode * Math.log(perNode.size + 2) + inZone * Math.log(perZone.size + 2);
  });
}

/** Preferred inter-pod affinity and anti-affinity of the pod itself. */
export const podAffinityScore: Score = {
  name: 'InterPodAffinity',
  weight: 2,
  scale: 'range',
  raw(placement, nodes) {
    const { podAffinity, podAntiAffinity } = placement.pod.spec.affinity ?? {};
    const sums = new Map<string, number>();
    gatherTerms(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution, 1, placement, sums);
    gatherTerms(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution, -1, placement, sums);
    return nodes.map(({ node }) =>
      Object.entries(node.metadata.labels ?? {}).reduce(
        (sum, [key, value]) => sum + (sums.get(`${key}\n${value}`) ?? 0),
        0,
      ),
    );
  },
};

function gatherTerms(
  terms: readonly WeightedPodAffinityTerm[] | undefined,
  sign: 1 | -1,
  { pod, nodes, namespaces }: Placement,
  sums: Map<string, number>,
): void {
  for (const { weight, podAffinityTerm } of terms ?? []) {
    const term = compileTerm(podAffinityTerm, pod, namespaces);
    for (const { node, pods } of nodes) {
      const value = node.metadata.labels?.[term.topologyKey];
      if (value === undefined) continue;
      const domain = `${term.topologyKey}\n${value}`;
      for (const { pod: other } of pods.values()) {
        if (term.matches(other)) sums.set(domain, (sums.get(domain) ?? 0) + sign * weight);
      }
    }
  }
}
