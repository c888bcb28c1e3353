/** One Service port in nftables: its elements in the common maps, and the chains of its own. */
import type { NftChain, NftElement, NftMatch, NftRule, NftSet, NftVerdict } from '../../../../shared/rules/nft.ts';
import type { ServiceProtocol } from '../../../../shared/rules/service-key.ts';
import { hostPrefix, type IpPrefix } from '../../../../shared/wire/ip-address.ts';
import type { Endpoint } from '../endpoint.ts';
import type { Item } from '../item-store.ts';
import { decidePort, nodeIsAllowed, type PortDecision } from '../port-decision.ts';
import type { ProxyContext } from '../proxy-context.ts';
import { isExternallyAccessible, type ServicePort, usesClusterEndpoints, usesLocalEndpoints } from '../service-port.ts';
import {
  addressType,
  CLUSTER_IPS,
  FIREWALL_IPS,
  MARK_FOR_MASQUERADE,
  NO_ENDPOINT_NODE_PORTS,
  NO_ENDPOINT_SERVICES,
  REJECT_CHAIN,
  SERVICE_IPS,
  SERVICE_NODE_PORTS,
} from './fixed-table.ts';
import { endpointNames, type NftPortNames, portNames } from './names.ts';

export type NftItem = Item &
  (
    | { readonly kind: 'chain'; readonly name: string; readonly chain: NftChain }
    | { readonly kind: 'set'; readonly name: string; readonly set: NftSet }
    | { readonly kind: 'element'; readonly set: string; readonly element: NftElement }
  );

interface Subject extends PortDecision {
  readonly port: ServicePort;
  readonly protocol: ServiceProtocol;
  readonly names: NftPortNames;
  readonly context: ProxyContext;
}

/** None for SCTP, which nodes do not speak. */
export function compileNftPort(port: ServicePort, endpoints: readonly Endpoint[], context: ProxyContext): NftItem[] {
  if (port.protocol === 'sctp') return [];
  const names = portNames(port, context.sha256);
  const subject: Subject = {
    ...decidePort(port, endpoints, context),
    port,
    protocol: port.protocol,
    names,
    context,
  };
  return [...mapElements(subject), ...ownChains(subject)];
}

function element(set: string, one: NftElement): NftItem {
  return {
    kind: 'element',
    id: `@${set} ${one.address ?? ''} ${one.protocol ?? ''} ${one.port ?? ''}`,
    set,
    element: one,
  };
}

function chain(name: string, rules: readonly NftRule[]): NftItem {
  return { kind: 'chain', id: `chain ${name}`, name, chain: { rules } };
}

function goTo(name: string): NftVerdict {
  return { kind: 'goto', chain: name };
}

function mapElements(subject: Subject): NftItem[] {
  const { port, protocol, names, choice, hasInternal, hasExternal, usesFirewall } = subject;
  const internal = port.internalPolicyLocal ? names.local : names.cluster;
  const at = (set: string, address: number, verdict: NftVerdict, comment?: string): NftItem =>
    element(set, { address, protocol, port: port.port, verdict, comment });
  const refuse = (address: number): NftItem => at(NO_ENDPOINT_SERVICES, address, refusal(subject), port.name);
  const items = [element(CLUSTER_IPS, { address: port.clusterIp })];
  items.push(hasInternal ? at(SERVICE_IPS, port.clusterIp, goTo(internal)) : refuse(port.clusterIp));
  for (const address of [...port.externalIps, ...port.loadBalancerIps]) {
    if (choice.any) items.push(at(SERVICE_IPS, address, goTo(names.external)));
    if (!hasExternal) items.push(refuse(address));
  }
  if (usesFirewall) {
    for (const address of port.loadBalancerIps) items.push(at(FIREWALL_IPS, address, goTo(names.firewall), port.name));
  }
  if (port.nodePort === 0) return items;
  const nodePort = { protocol, port: port.nodePort };
  if (choice.any) items.push(element(SERVICE_NODE_PORTS, { ...nodePort, verdict: goTo(names.external) }));
  if (!hasExternal) {
    items.push(element(NO_ENDPOINT_NODE_PORTS, { ...nodePort, verdict: refusal(subject), comment: port.name }));
  }
  return items;
}

/** No endpoint anywhere refuses; none at this node under the policy Local drops, as another node may have one. */
function refusal({ choice }: Subject): NftVerdict {
  return choice.any ? { kind: 'drop' } : goTo(REJECT_CHAIN);
}

function ownChains(subject: Subject): NftItem[] {
  const { port, choice, names, context } = subject;
  const items: NftItem[] = [];
  const internal = port.internalPolicyLocal ? names.local : names.cluster;
  const rulesOf = (name: string, endpoints: readonly Endpoint[]): NftRule[] => [
    ...(name === internal && subject.hasInternal ? [internalMasquerade(subject)] : []),
    ...spread(port, endpoints, context),
  ];
  if (choice.cluster.length > 0 && usesClusterEndpoints(port)) {
    items.push(chain(names.cluster, rulesOf(names.cluster, choice.cluster)));
  }
  if (choice.local.length > 0 && usesLocalEndpoints(port)) {
    items.push(chain(names.local, rulesOf(names.local, choice.local)));
  }
  if (choice.any && isExternallyAccessible(port)) items.push(chain(names.external, externalRules(subject)));
  if (subject.usesFirewall) items.push(chain(names.firewall, [firewallRule(subject)]));
  for (const endpoint of choice.reachable) items.push(...endpointItems(subject, endpoint));
  return items;
}

const markForMasquerade = { kind: 'jump', chain: MARK_FOR_MASQUERADE } as const;

/** A client outside the pods' block would answer around the node that translated: its packets are masqueraded. */
function internalMasquerade({ port, protocol, context }: Subject): NftRule {
  const matches: NftMatch[] = [
    { kind: 'address', side: 'destination', prefixes: [hostPrefix(port.clusterIp)] },
    { kind: 'port', protocol, port: port.port },
  ];
  if (!context.masqueradeAll) matches.push(fromPods(context.clusterCidr, true));
  return { matches, statement: markForMasquerade };
}

function fromPods(clusterCidr: IpPrefix, negated: boolean): NftMatch {
  return { kind: 'address', side: 'source', prefixes: [clusterCidr], ...(negated ? { negated } : {}) };
}

/** Affinity first, then a random choice. */
function spread(port: ServicePort, endpoints: readonly Endpoint[], { sha256 }: ProxyContext): NftRule[] {
  const names = endpoints.map((endpoint) => endpointNames(port, endpoint, sha256));
  const sticky = port.affinitySeconds === undefined ? [] : names;
  return [
    ...sticky.map(
      ({ affinity, chain: name }): NftRule => ({
        matches: [{ kind: 'in-set', side: 'source', set: affinity }],
        statement: { kind: 'goto', chain: name },
      }),
    ),
    { statement: { kind: 'numgen', chains: names.map(({ chain: name }) => name) } },
  ];
}

function externalRules({ port, names, context, hasExternal }: Subject): NftRule[] {
  const rules: NftRule[] = [];
  if (port.externalPolicyLocal) {
    const fromNode: NftMatch = { kind: 'local', side: 'source' };
    const cluster = { kind: 'goto', chain: names.cluster } as const;
    rules.push(
      { matches: [fromPods(context.clusterCidr, false)], statement: cluster, comment: 'short-circuit pod traffic' },
      { matches: [fromNode], statement: markForMasquerade, comment: 'masquerade local traffic' },
      { matches: [fromNode], statement: cluster, comment: 'short-circuit local traffic' },
    );
  } else rules.push({ statement: markForMasquerade });
  if (hasExternal) {
    rules.push({ statement: { kind: 'goto', chain: port.externalPolicyLocal ? names.local : names.cluster } });
  }
  return rules;
}

function firewallRule({ port, context }: Subject): NftRule {
  const own = nodeIsAllowed(port, context) ? port.loadBalancerIps : [];
  const prefixes = [...port.loadBalancerSourceRanges, ...own.map(hostPrefix)];
  return { matches: [{ kind: 'address', side: 'source', prefixes, negated: true }], statement: { kind: 'drop' } };
}

function endpointItems({ port, protocol, context }: Subject, endpoint: Endpoint): NftItem[] {
  const { address } = endpoint;
  const { chain: name, affinity } = endpointNames(port, endpoint, context.sha256);
  const timeoutSeconds = port.affinitySeconds;
  const note: NftRule[] = timeoutSeconds === undefined ? [] : [{ statement: { kind: 'update', set: affinity } }];
  const rules: NftRule[] = [
    // A pod that reaches itself through its Service would answer itself directly.
    {
      matches: [{ kind: 'address', side: 'source', prefixes: [hostPrefix(address)] }],
      statement: markForMasquerade,
    },
    ...note,
    { matches: [{ kind: 'protocol', protocol }], statement: { kind: 'dnat', address, port: endpoint.port } },
  ];
  const set: NftSet = { kind: 'set', type: [addressType(context.family)], timeoutSeconds };
  const sets: NftItem[] =
    timeoutSeconds === undefined ? [] : [{ kind: 'set', id: `set ${affinity}`, name: affinity, set }];
  return [...sets, chain(name, rules)];
}
