/**
 * Which endpoints a Service port may send to: the one choice that all proxy modes share
 * (Kubernetes documentation, "Virtual IPs and Service Proxies", traffic policies and terminating endpoints).
 */
import type { Endpoint } from './endpoint.ts';
import { type ServicePort, usesClusterEndpoints, usesLocalEndpoints } from './service-port.ts';

export interface ProxyNode {
  readonly name: string;
  /** Follows the node's label; empty without one. */
  zone: string;
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
  const isMeant = hintFilter(endpoints, node);
  const cluster = usesClusterEndpoints(port)
    ? orTerminating(
        endpoints.filter((endpoint) => endpoint.ready && isMeant(endpoint)),
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

/** Hints of the node come before those of its zone, as a node is nearer. Hints count however they came to be. */
function hintFilter(endpoints: readonly Endpoint[], node: ProxyNode): (one: Endpoint) => boolean {
  const ready = endpoints.filter((endpoint) => endpoint.ready);
  const byNode = isHinted(ready, ({ nodeHints }) => nodeHints, node.name);
  return byNode ?? isHinted(ready, ({ zoneHints }) => zoneHints, node.zone) ?? (() => true);
}

/** Hints count only when every ready endpoint has them and one is for this place. */
function isHinted(
  ready: readonly Endpoint[],
  hintsOf: (endpoint: Endpoint) => readonly string[],
  place: string,
): ((endpoint: Endpoint) => boolean) | undefined {
  const isForHere = (endpoint: Endpoint): boolean => hintsOf(endpoint).includes(place);
  const allHaveThem = ready.every((endpoint) => hintsOf(endpoint).length > 0);
  return place !== '' && allHaveThem && ready.some(isForHere) ? isForHere : undefined;
}

function union(cluster: readonly Endpoint[], local: readonly Endpoint[]): readonly Endpoint[] {
  const known = new Set(cluster);
  const rest = local.filter((endpoint) => !known.has(endpoint));
  return rest.length === 0 ? cluster : [...cluster, ...rest];
}
