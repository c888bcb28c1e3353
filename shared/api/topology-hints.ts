/** For which nodes and zones an endpoint is meant (Kubernetes documentation, "Traffic distribution"; EndpointSlice API). */
import type { EndpointHints } from 'kubernetes-types/discovery/v1.js';

export const ZONE_LABEL = 'topology.kubernetes.io/zone';

export const TRAFFIC_DISTRIBUTIONS = ['PreferClose', 'PreferSameZone', 'PreferSameNode'] as const;

export interface TopologyHints extends EndpointHints {
  forNodes?: { name: string }[];
}

/** What the endpoint of a Service with this distribution gets; undefined for none. `PreferClose` is the older name of PreferSameZone. */
export function hintsOf(
  distribution: string | undefined,
  nodeName: string | undefined,
  zone: string | undefined,
): TopologyHints | undefined {
  if (!TRAFFIC_DISTRIBUTIONS.some((known) => known === distribution)) return undefined;
  const forNodes = distribution === 'PreferSameNode' && nodeName ? [{ name: nodeName }] : undefined;
  const forZones = zone ? [{ name: zone }] : undefined;
  if (forNodes === undefined && forZones === undefined) return undefined;
  return { ...(forNodes === undefined ? {} : { forNodes }), ...(forZones === undefined ? {} : { forZones }) };
}
