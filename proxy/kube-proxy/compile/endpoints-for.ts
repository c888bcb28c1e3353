/**
 * Which endpoints a Service port may send to: the one choice that all proxy modes share
 * (Kubernetes documentation, "Virtual IPs and Service Proxies", traffic policies and terminating endpoints).
 */
import type { Endpoint } from './endpoint.ts';
import { type ServicePort, usesClusterEndpoints, usesLocalEndpoints } from './service-port.ts';

export interface ProxyNode {
  readonly name: string;
  readonly zone: string;
}

export interface EndpointChoice {
  /** For the policy Cluster. */
  readonly cluster: readonly Endpoint[];
  /** For the policy Local. */
  readonly local: readonly Endpoint[];
  /** All that any traffic at this node may reach. */
  readonly reachable: readonly Endpoint[];
  /** Usable ones exist somewhere, if not at this node. */
  readonly any: boolean;
}

/** Ready endpoints; when there is none, those that terminate but still serve. */
export function endpointsFor(port: ServicePort, endpoints: readonly Endpoint[], node: ProxyNode): EndpointChoice {
  const isLocal = (endpoint: Endpoint): boolean => endpoint.nodeName === node.name;
  const inZone = zoneFilter(port, endpoints, node.zone);
  const cluster = usesClusterEndpoints(port)
    ? orTerminating(
        endpoints.filter((endpoint) => endpoint.ready && inZone(endpoint)),
        endpoints,
      )
    : [];
  if (!usesLocalEndpoints(port)) return { cluster, local: [], reachable: cluster, any: cluster.length > 0 };
  const atNode = endpoints.filter(isLocal);
  const local = orTerminating(
    atNode.filter(({ ready }) => ready),
    atNode,
  );
  return { cluster, local, reachable: union(cluster, local), any: endpoints.some(isUsable) };
}

function orTerminating(ready: readonly Endpoint[], all: readonly Endpoint[]): readonly Endpoint[] {
  return ready.length > 0 ? ready : all.filter(({ serving, terminating }) => serving && terminating);
}

function isUsable({ ready, serving, terminating }: Endpoint): boolean {
  return ready || (serving && terminating);
}

/** Zone hints count only when every ready endpoint has them and one is for this node's zone. */
function zoneFilter(port: ServicePort, endpoints: readonly Endpoint[], zone: string): (one: Endpoint) => boolean {
  const ready = endpoints.filter((endpoint) => endpoint.ready);
  const hinted = ready.every(({ zoneHints }) => zoneHints.length > 0);
  const here = ready.some(({ zoneHints }) => zoneHints.includes(zone));
  if (!port.topologyAware || zone === '' || !hinted || !here) return () => true;
  return ({ zoneHints }) => zoneHints.includes(zone);
}

function union(cluster: readonly Endpoint[], local: readonly Endpoint[]): readonly Endpoint[] {
  const known = new Set(cluster);
  const rest = local.filter((endpoint) => !known.has(endpoint));
  return rest.length === 0 ? cluster : [...cluster, ...rest];
}
