/**
 * Which UDP connections a node must forget after a change of endpoints: a client that keeps sending keeps its translation,
 * to a backend that is gone, or to none if the Service had none. TCP finds out by itself.
 */
import type { ForgottenConnections } from '../../../shared/rules/transaction.ts';
import type { Endpoint } from '../compile/endpoint.ts';
import type { ServicePort } from '../compile/service-port.ts';
import type { ServiceState } from '../compile/service-state.ts';

export function staleUdpConnections(before: ServiceState | undefined, after: ServiceState): ForgottenConnections[] {
  const forgotten: ForgottenConnections[] = [];
  const known = new Map((before?.ports ?? []).map(({ port, endpoints }) => [port.name, { port, endpoints }]));
  for (const { port, endpoints } of after.ports) {
    if (port.protocol !== 'udp') continue;
    const old = known.get(port.name);
    known.delete(port.name);
    const targets = targetsOf(port);
    const present = addresses(endpoints);
    for (const gone of addresses(old?.endpoints ?? [])) {
      if (!present.has(gone)) forgotten.push(...targets.map((target) => ({ ...target, replySource: gone })));
    }
    if (present.size > 0 && addresses(old?.endpoints ?? []).size === 0) forgotten.push(...targets);
  }
  for (const { port } of known.values()) {
    if (port.protocol !== 'udp') continue;
    forgotten.push(...targetsOf(port));
  }
  return forgotten;
}

/** By what clients ask for the port: each of its addresses, and the node port at any. */
function targetsOf(port: ServicePort): ForgottenConnections[] {
  const asked = [port.clusterIp, ...port.externalIps, ...port.loadBalancerIps];
  const targets: ForgottenConnections[] = asked.map((originalDestination) => ({
    protocol: 'udp',
    originalDestination,
    originalDestinationPort: port.port,
  }));
  return port.nodePort === 0 ? targets : [...targets, { protocol: 'udp', originalDestinationPort: port.nodePort }];
}

function addresses(endpoints: readonly Endpoint[]): Set<number> {
  return new Set(endpoints.filter(({ ready, serving }) => ready || serving).map(({ address }) => address));
}
