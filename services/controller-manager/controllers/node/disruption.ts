/**
 * When not to believe that nodes are lost (Kubernetes documentation, "Nodes", "Rate limits on eviction"): where no node at all is
 * ready, it is more likely the control plane that is cut off, and where most of a small zone is not, moving its pods would
 * only burden the rest.
 */
import type { Node } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../../shared/api/live.ts';

/**
 * `all`: no node of the cluster is ready, and pods are left where they are. `most`: of the node's zone; no further pods are
 * evicted.
 */
export type Disruption = 'none' | 'most' | 'all';

/** kube-controller-manager's `--unhealthy-zone-threshold` and `--large-cluster-size-threshold`. */
const UNHEALTHY_SHARE = 0.55;
const SMALL_ZONE_NODES = 50;
/** So few that are not ready are never most. */
const FEW_NODES = 2;

export interface NodeHealth {
  /** Nodes without one are one zone too. */
  readonly zone: string;
  /** Ready, and not silent. */
  readonly healthy: boolean;
}

/** By the name of the zone. */
export function disruptions(nodes: readonly NodeHealth[]): ReadonlyMap<string, Disruption> {
  const zones = new Map<string, { healthy: number; total: number }>();
  for (const { zone: name, healthy } of nodes) {
    const zone = zones.get(name) ?? { healthy: 0, total: 0 };
    zone.total += 1;
    if (healthy) zone.healthy += 1;
    zones.set(name, zone);
  }
  const isAllLost = [...zones.values()].every(({ healthy }) => healthy === 0);
  return new Map([...zones].map(([name, zone]) => [name, isAllLost ? 'all' : isMostlyLost(zone) ? 'most' : 'none']));
}

/** A zone's name is its region's own. */
export function zoneOf({ metadata: { labels = {} } }: Live<Node>): string {
  const region = labels['topology.kubernetes.io/region'];
  const zone = labels['topology.kubernetes.io/zone'];
  return [region, zone].filter((name) => name !== undefined).join('/');
}

function isMostlyLost({ healthy, total }: { healthy: number; total: number }): boolean {
  const lost = total - healthy;
  return healthy > 0 && lost > FEW_NODES && lost / total >= UNHEALTHY_SHARE && total <= SMALL_ZONE_NODES;
}
