/**
 * Where programs of this machine reach Services: which real sockets a node opens. Pure.
 *
 *   NodePort 30080 of worker-1 (192.168.1.10)       -> 127.0.1.10:30080
 *   LoadBalancer 192.168.1.240:80, announced by one -> 127.0.1.240:80
 *
 * On Linux the nodes' network stands on a block of loopback addresses, last octet for last octet. Elsewhere, and in a
 * container, a LoadBalancer's ports are opened at the node's own real address.
 */
import { isIPv4 } from 'node:net';
import type { Service } from 'kubernetes-types/core/v1.d.ts';

export interface Entrance {
  /** `default/web` */
  readonly service: string;
  readonly protocol: 'tcp' | 'udp';
  /** In the emulated network. */
  readonly address: string;
  readonly port: number;
  /** Of this machine. */
  readonly realAddress: string;
}

export interface EntranceNode {
  readonly nodeName: string;
  readonly internalIp: string;
  /** Of the node's real sockets. */
  readonly bindAddress: string;
}

/** Who answers for a Service's LoadBalancer addresses; undefined for nobody. */
export type AnnouncerOf = (service: Service) => string | undefined;

export function entrancesOf(
  services: readonly Service[],
  node: EntranceNode,
  announcerOf: AnnouncerOf,
): Map<string, Entrance> {
  const entrances = new Map<string, Entrance>();
  for (const service of services) {
    for (const entrance of [...nodePorts(service, node), ...balancedPorts(service, node, announcerOf)]) {
      entrances.set(keyOf(entrance), entrance);
    }
  }
  return entrances;
}

export function keyOf({ protocol, address, port }: Entrance): string {
  return `${protocol} ${address}:${port}`;
}

function nodePorts(service: Service, { internalIp, bindAddress }: EntranceNode): Entrance[] {
  return portsOf(service).flatMap(({ protocol, nodePort }) =>
    nodePort === undefined || nodePort === 0
      ? []
      : [{ service: nameOf(service), protocol, address: internalIp, port: nodePort, realAddress: bindAddress }],
  );
}

function balancedPorts(service: Service, node: EntranceNode, announcerOf: AnnouncerOf): Entrance[] {
  const addresses = (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip = '' }) => (isIPv4(ip) ? ip : []));
  if (service.spec?.type !== 'LoadBalancer' || addresses.length === 0) return [];
  if (announcerOf(service) !== node.nodeName) return [];
  return addresses.flatMap((address) =>
    portsOf(service).map(({ protocol, port }) => ({
      service: nameOf(service),
      protocol,
      address,
      port,
      realAddress: realAddressOf(address, node),
    })),
  );
}

/** None for a Service of IPv6 alone: the way in is by IPv4. */
function portsOf({ spec }: Service) {
  if (!(spec?.ipFamilies ?? ['IPv4']).includes('IPv4')) return [];
  return (spec?.ports ?? []).flatMap(({ protocol = 'TCP', port, nodePort }) =>
    protocol === 'TCP' || protocol === 'UDP'
      ? [{ protocol: protocol.toLowerCase() as 'tcp' | 'udp', port, nodePort }] // one of the two, in lower case
      : [],
  );
}

function realAddressOf(address: string, { internalIp, bindAddress }: EntranceNode): string {
  const network = (text: string): string => text.slice(0, text.lastIndexOf('.'));
  const sharesBlock = bindAddress.startsWith('127.') && network(bindAddress) !== '127.0.0';
  if (!sharesBlock || network(address) !== network(internalIp)) return bindAddress;
  return `${network(bindAddress)}${address.slice(address.lastIndexOf('.'))}`;
}

function nameOf({ metadata }: Service): string {
  return `${metadata?.namespace}/${metadata?.name}`;
}
