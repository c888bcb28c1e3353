/**
 * Which UDP connections a node must forget after a change of endpoints: a client that keeps sending keeps its translation,
 * to a backend that is gone, or to none if the Service had none. TCP finds out by itself.
 */
import type { ForgottenConnections } from '../../../../shared/rules/transaction.ts';
import type { Endpoint } from '../../compile/endpoint.ts';
import type { ServiceState } from '../../compile/iptables/compiler.ts';

export function staleUdpConnections(before: ServiceState | undefined, after: ServiceState): ForgottenConnections[] {
  const forgotten: ForgottenConnections[] = [];
  const known = new Map((before?.ports ?? []).map(({ port, endpoints }) => [port.name, { port, endpoints }]));
  for (const { port, endpoints } of after.ports) {
    if (port.protocol !== 'udp') continue;
    const old = known.get(port.name);
    known.delete(port.name);
    const target = {
      protocol: 'udp',
      originalDestination: port.clusterIp,
      originalDestinationPort: port.port,
    } as const;
    const present = addresses(endpoints);
    for (const gone of addresses(old?.endpoints ?? [])) {
      if (!present.has(gone)) forgotten.push({ ...target, replySource: gone });
    }
    if (present.size > 0 && addresses(old?.endpoints ?? []).size === 0) forgotten.push(target);
  }
  for (const { port } of known.values()) {
    if (port.protocol !== 'udp') continue;
    forgotten.push({ protocol: 'udp', originalDestination: port.clusterIp, originalDestinationPort: port.port });
  }
  return forgotten;
}

function addresses(endpoints: readonly Endpoint[]): Set<number> {
  return new Set(endpoints.filter(({ ready, serving }) => ready || serving).map(({ address }) => address));
}
