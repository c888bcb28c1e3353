/** One Service port in IPVS mode: its virtual servers, and its entries in the ipsets. */
import type { IpSetEntry, VirtualServer } from '../../../../shared/rules/ipvs.ts';
import type { ServiceProtocol } from '../../../../shared/rules/service-key.ts';
import { hostPrefix } from '../../../../shared/wire/ip-address.ts';
import type { Endpoint } from '../endpoint.ts';
import type { Item } from '../item-store.ts';
import { decidePort, nodeIsAllowed, type PortDecision } from '../port-decision.ts';
import type { ProxyContext } from '../proxy-context.ts';
import type { ServicePort } from '../service-port.ts';
import type { IpSetName } from './ip-sets.ts';

export type IpvsItem = Item &
  (
    | { readonly kind: 'server'; readonly server: VirtualServer }
    | { readonly kind: 'entry'; readonly set: IpSetName; readonly entry: IpSetEntry }
  );

interface Subject extends PortDecision {
  readonly port: ServicePort;
  readonly protocol: ServiceProtocol;
  readonly context: ProxyContext;
}

/** None for SCTP, which nodes do not speak. */
export function compileIpvsPort(port: ServicePort, endpoints: readonly Endpoint[], context: ProxyContext): IpvsItem[] {
  if (port.protocol === 'sctp') return [];
  const subject: Subject = { ...decidePort(port, endpoints, context), port, protocol: port.protocol, context };
  return [
    ...clusterIpItems(subject),
    ...externalIpItems(subject),
    ...loadBalancerItems(subject),
    ...nodePortItems(subject),
    ...hairpinEntries(subject),
  ];
}

function entry(set: IpSetName, one: IpSetEntry): IpvsItem {
  const source = one.source === undefined ? '' : `${one.source.address}/${one.source.prefixLength}`;
  const id = `${set} ${one.address ?? ''} ${one.protocol ?? ''} ${one.port ?? ''} ${source}`;
  return { kind: 'entry', id, set, entry: one };
}

/** With the policy Local and no endpoint at this node those of others are taken: whoever comes from a pod gets there. */
function virtualServer(subject: Subject, address: number, servicePort: number, onlyLocal: boolean): IpvsItem {
  const { port, protocol, choice, context } = subject;
  const endpoints = onlyLocal && choice.local.length > 0 ? choice.local : choice.cluster;
  const server: VirtualServer = {
    protocol,
    address,
    port: servicePort,
    scheduler: context.scheduler,
    persistentSeconds: port.affinitySeconds,
    servers: endpoints.map((endpoint) => ({ address: endpoint.address, port: endpoint.port, weight: 1 })),
  };
  return { kind: 'server', id: `${protocol} ${address} ${servicePort}`, server };
}

function clusterIpItems(subject: Subject): IpvsItem[] {
  const { port, protocol } = subject;
  return [
    virtualServer(subject, port.clusterIp, port.port, port.internalPolicyLocal),
    entry('KUBE-CLUSTER-IP', { address: port.clusterIp, protocol, port: port.port }),
    entry('KUBE-IPVS-IPS', { address: port.clusterIp }),
  ];
}

function externalIpItems(subject: Subject): IpvsItem[] {
  const { port, protocol } = subject;
  const set = port.externalPolicyLocal ? 'KUBE-EXTERNAL-IP-LOCAL' : 'KUBE-EXTERNAL-IP';
  return port.externalIps.flatMap((address) => [
    virtualServer(subject, address, port.port, port.externalPolicyLocal),
    entry(set, { address, protocol, port: port.port }),
    entry('KUBE-IPVS-IPS', { address }),
  ]);
}

function loadBalancerItems(subject: Subject): IpvsItem[] {
  const { port, protocol, usesFirewall } = subject;
  return port.loadBalancerIps.flatMap((address) => {
    const at = { address, protocol, port: port.port };
    return [
      virtualServer(subject, address, port.port, port.externalPolicyLocal),
      entry('KUBE-LOAD-BALANCER', at),
      ...(port.externalPolicyLocal ? [entry('KUBE-LOAD-BALANCER-LOCAL', at)] : []),
      ...(usesFirewall ? sourceRangeEntries(subject, at) : []),
      entry('KUBE-IPVS-IPS', { address }),
    ];
  });
}

function sourceRangeEntries({ port, context }: Subject, at: IpSetEntry): IpvsItem[] {
  const own = nodeIsAllowed(port, context) ? [hostPrefix(at.address ?? 0)] : [];
  const ranges = [...port.loadBalancerSourceRanges, ...own];
  return [
    entry('KUBE-LOAD-BALANCER-FW', at),
    ...ranges.map((source) => entry('KUBE-LOAD-BALANCER-SOURCE-CIDR', { ...at, source })),
  ];
}

function nodePortItems(subject: Subject): IpvsItem[] {
  const { port, protocol, context } = subject;
  const items: IpvsItem[] = [];
  if (port.nodePort !== 0) {
    const upper = protocol === 'tcp' ? 'TCP' : 'UDP';
    items.push(
      virtualServer(subject, context.node.address, port.nodePort, port.externalPolicyLocal),
      entry(`KUBE-NODE-PORT-${upper}`, { port: port.nodePort }),
    );
    if (port.externalPolicyLocal) items.push(entry(`KUBE-NODE-PORT-LOCAL-${upper}`, { port: port.nodePort }));
  }
  if (port.healthCheckNodePort !== 0) {
    items.push(entry('KUBE-HEALTH-CHECK-NODE-PORT', { port: port.healthCheckNodePort }));
  }
  return items;
}

/** A pod of this node that reaches itself through its Service would answer itself directly: it is masqueraded. */
function hairpinEntries({ protocol, choice, context }: Subject): IpvsItem[] {
  return choice.reachable
    .filter(({ nodeName }) => nodeName === context.node.name)
    .map(({ address, port }) => entry('KUBE-LOOP-BACK', { address, protocol, port, source: hostPrefix(address) }));
}
