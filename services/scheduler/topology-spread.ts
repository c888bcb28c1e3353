/** Pod topology spread constraints: how many matching pods each domain holds ("Pod Topology Spread Constraints"). */
import type { TopologySpreadConstraint } from 'kubernetes-types/core/v1.js';
import { labelSelectorMatches, selectorFromObject } from '../../shared/api/label-selector.ts';
import { matchesRequiredNodeAffinity } from '../../shared/api/node-affinity.ts';
import { isTerminating } from '../../shared/api/pod-condition.ts';
import { untoleratedTaint } from '../../shared/api/toleration.ts';
import type { Placement } from './filters/filter.ts';
import type { NodeInfo } from './node-info.ts';

export interface SpreadCounts {
  readonly constraint: TopologySpreadConstraint;
  /** Matching pods by value of the topology key, over the nodes that the constraint counts. */
  readonly byDomain: ReadonlyMap<string, number>;
  readonly minimum: number;
  /** 1 when the pod itself matches the constraint's selector. */
  readonly self: 0 | 1;
}

export function spreadCounts(constraint: TopologySpreadConstraint, placement: Placement): SpreadCounts {
  const { pod } = placement;
  const base = selectorFromObject(constraint.labelSelector);
  const keys = (constraint.matchLabelKeys ?? []).flatMap((key) => {
    const value = pod.metadata.labels?.[key];
    return value === undefined ? [] : [{ key, operator: 'in' as const, values: [value] }];
  });
  const selector = base === undefined ? undefined : { requirements: [...base.requirements, ...keys] };
  const matches = (labels: Record<string, string> | undefined): boolean =>
    selector !== undefined && labelSelectorMatches(selector, labels);
  const byDomain = new Map<string, number>();
  for (const info of placement.nodes) {
    const value = info.node.metadata.labels?.[constraint.topologyKey];
    if (value === undefined || !isCounted(constraint, info, placement)) continue;
    let count = byDomain.get(value) ?? 0;
    for (const { pod: other } of info.pods.values()) {
      const sameNamespace = other.metadata.namespace === pod.metadata.namespace;
      if (sameNamespace && !isTerminating(other) && matches(other.metadata.labels)) count++;
    }
    byDomain.set(value, count);
  }
  const domains = [...byDomain.values()];
  const minimum = domains.length < (constraint.minDomains ?? 1) ? 0 : Math.min(...domains);
  return { constraint, byDomain, minimum, self: matches(pod.metadata.labels) ? 1 : 0 };
}

/** nodeAffinityPolicy (Honor by default) and nodeTaintsPolicy (Ignore by default). */
function isCounted(constraint: TopologySpreadConstraint, { node }: NodeInfo, { pod }: Placement): boolean {
  const { nodeAffinityPolicy = 'Honor', nodeTaintsPolicy = 'Ignore' } = constraint;
  if (nodeAffinityPolicy === 'Honor' && !matchesRequiredNodeAffinity(pod.spec, node)) return false;
  if (nodeTaintsPolicy !== 'Honor') return true;
  return untoleratedTaint(node.spec.taints, pod.spec.tolerations, ['NoSchedule', 'NoExecute']) === undefined;
}
