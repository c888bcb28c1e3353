/** The rules of one Service port: its share of the common chains, and the chains of its own. */
import { comment, destinationPort, type Match } from '../../../../shared/rules/match.ts';
import type { Rule } from '../../../../shared/rules/rule.ts';
import { jump, type Target } from '../../../../shared/rules/target.ts';
import { addressBits, type IpPrefix } from '../../../../shared/wire/ip-address.ts';
import { type Endpoint, endpointText } from '../endpoint.ts';
import { decidePort, nodeIsAllowed, type PortDecision } from '../port-decision.ts';
import type { ProxyContext } from '../proxy-context.ts';
import { isExternallyAccessible, type ServicePort, usesClusterEndpoints, usesLocalEndpoints } from '../service-port.ts';
import { endpointChainName, type ServiceChainNames, serviceChainNames } from './chain-name.ts';
import { MARK_MASQ, REFUSALS } from './fixed-chains.ts';

export interface ServiceRules {
  /** In the nat table. */
  readonly services: readonly Rule[];
  readonly nodePorts: readonly Rule[];
  readonly chains: Readonly<Record<string, readonly Rule[]>>;
  /** In the filter table. */
  readonly filterServices: readonly Rule[];
  readonly filterExternal: readonly Rule[];
  readonly filterNodePorts: readonly Rule[];
  readonly filterFirewall: readonly Rule[];
}

/** A Service port with what was decided about it. */
interface Subject extends PortDecision {
  readonly port: ServicePort;
  readonly names: ServiceChainNames;
  readonly context: ProxyContext;
}

export function compileServicePort(
  port: ServicePort,
  endpoints: readonly Endpoint[],
  context: ProxyContext,
): ServiceRules {
  const names = serviceChainNames(port, context.sha256);
  const subject: Subject = { ...decidePort(port, endpoints, context), port, names, context };
  return {
    services: natServiceRules(subject),
    nodePorts: natNodePortRules(subject),
    chains: ownChains(subject),
    filterServices: subject.hasInternal ? [] : [refusal(subject, { address: port.clusterIp })],
    filterExternal: filterExternalRules(subject),
    filterNodePorts: healthCheckRules(port),
    filterFirewall: firewallDrops(subject),
  };
}

interface Destination {
  readonly address?: number;
  readonly port?: number;
}

/** A rule for what is addressed to the Service: `-d address -p protocol -m comment ... -m protocol --dport port`. */
function portRule(
  port: ServicePort,
  text: string,
  to: Destination,
  target: Target,
  extra: readonly Match[] = [],
): Rule {
  return {
    ...(to.address === undefined ? {} : { destination: hostPrefix(to.address) }),
    protocol: { name: port.protocol },
    matches: [comment(text), ...extra, destinationPort(port.protocol, to.port ?? port.port)],
    target,
  };
}

function hostPrefix(address: number): IpPrefix {
  return { address, prefixLength: addressBits(address) };
}

function natServiceRules({ port, choice, names, hasInternal, usesFirewall }: Subject): Rule[] {
  const rules: Rule[] = [];
  if (hasInternal) {
    const chain = port.internalPolicyLocal ? names.local : names.cluster;
    rules.push(portRule(port, `${port.name} cluster IP`, { address: port.clusterIp }, jump(chain)));
  }
  if (!choice.any) return rules;
  for (const address of port.externalIps) {
    rules.push(portRule(port, `${port.name} external IP`, { address }, jump(names.external)));
  }
  const chain = usesFirewall ? names.firewall : names.external;
  for (const address of port.loadBalancerIps) {
    rules.push(portRule(port, `${port.name} loadbalancer IP`, { address }, jump(chain)));
  }
  return rules;
}

function natNodePortRules({ port, choice, names }: Subject): Rule[] {
  if (port.nodePort === 0 || !choice.any) return [];
  return [portRule(port, port.name, { port: port.nodePort }, jump(names.external))];
}

/** No endpoint anywhere refuses; none at this node under the policy Local drops, as another node may have one. */
function refusal({ port, choice, context }: Subject, to: Destination, extra: readonly Match[] = []): Rule {
  const text = choice.any ? `${port.name} has no local endpoints` : `${port.name} has no endpoints`;
  const target: Target = choice.any ? { kind: 'drop' } : { kind: 'reject', with: REFUSALS[context.family] };
  return portRule(port, text, to, target, extra);
}

function filterExternalRules(subject: Subject): Rule[] {
  if (subject.hasExternal) return [];
  const { port } = subject;
  const rules = [...port.externalIps, ...port.loadBalancerIps].map((address) => refusal(subject, { address }));
  if (port.nodePort !== 0) {
    const toNode: Match = { kind: 'addrtype', side: 'destination', type: 'LOCAL' };
    rules.push(refusal(subject, { port: port.nodePort }, [toNode]));
  }
  return rules;
}

function healthCheckRules(port: ServicePort): Rule[] {
  if (port.healthCheckNodePort === 0) return [];
  return [
    {
      protocol: { name: 'tcp' },
      matches: [comment(`${port.name} health check node port`), destinationPort('tcp', port.healthCheckNodePort)],
      target: { kind: 'accept' },
    },
  ];
}

function firewallDrops({ port, names, usesFirewall }: Subject): Rule[] {
  if (!usesFirewall) return [];
  const text = `${port.name} traffic not accepted by ${names.firewall}`;
  return port.loadBalancerIps.map((address) => portRule(port, text, { address }, { kind: 'drop' }));
}

function ownChains(subject: Subject): Record<string, readonly Rule[]> {
  const { port, choice, names, context } = subject;
  const chains: Record<string, Rule[]> = {};
  const append = (chain: string, rules: readonly Rule[]): void => {
    const present = chains[chain];
    if (present === undefined) chains[chain] = [...rules];
    else present.push(...rules);
  };
  const internal = port.internalPolicyLocal ? names.local : names.cluster;
  if (subject.hasInternal) append(internal, internalMasquerade(port, context));
  if (choice.any && isExternallyAccessible(port)) append(names.external, externalRules(subject));
  if (choice.any && subject.usesFirewall) append(names.firewall, sourceRangeRules(subject));
  if (choice.cluster.length > 0 && usesClusterEndpoints(port)) append(names.cluster, spread(subject, choice.cluster));
  if (choice.local.length > 0 && usesLocalEndpoints(port)) append(names.local, spread(subject, choice.local));
  for (const endpoint of choice.reachable) {
    const chain = endpointChainName(port, endpoint, context.sha256);
    append(chain, endpointRules(port, endpoint, chain));
  }
  return chains;
}

/** A client outside the pods' block would answer around the node that translated: its packets are masqueraded. */
function internalMasquerade(port: ServicePort, { clusterCidr, masqueradeAll }: ProxyContext): Rule[] {
  const rule = portRule(port, `${port.name} cluster IP`, { address: port.clusterIp }, jump(MARK_MASQ));
  return [masqueradeAll ? rule : { source: { ...clusterCidr, negated: true }, ...rule }];
}

function externalRules({ port, names, context, hasExternal }: Subject): Rule[] {
  const rules: Rule[] = [];
  if (!port.externalPolicyLocal) {
    rules.push({
      matches: [comment(`masquerade traffic for ${port.name} external destinations`)],
      target: jump(MARK_MASQ),
    });
  } else {
    const fromNode: Match = { kind: 'addrtype', side: 'source', type: 'LOCAL' };
    rules.push(
      {
        source: context.clusterCidr,
        matches: [comment(`pod traffic for ${port.name} external destinations`)],
        target: jump(names.cluster),
      },
      {
        matches: [comment(`masquerade LOCAL traffic for ${port.name} external destinations`), fromNode],
        target: jump(MARK_MASQ),
      },
      {
        matches: [comment(`route LOCAL traffic for ${port.name} external destinations`), fromNode],
        target: jump(names.cluster),
      },
    );
  }
  if (hasExternal) rules.push({ target: jump(port.externalPolicyLocal ? names.local : names.cluster) });
  return rules;
}

function sourceRangeRules({ port, names, context }: Subject): Rule[] {
  const allow = (source: IpPrefix): Rule => ({
    source,
    matches: [comment(`${port.name} loadbalancer IP`)],
    target: jump(names.external),
  });
  const rules = port.loadBalancerSourceRanges.map(allow);
  // A load balancer address that is also the node's own makes the node's requests come from that address.
  if (nodeIsAllowed(port, context)) rules.push(...port.loadBalancerIps.map((address) => allow(hostPrefix(address))));
  rules.push({ matches: [comment(`other traffic to ${port.name} will be dropped by KUBE-PROXY-FIREWALL`)] });
  return rules;
}

/** Affinity first, then a random choice: 1/n, 1/(n-1), ..., and the last takes the rest. */
function spread({ port, context }: Subject, endpoints: readonly Endpoint[]): Rule[] {
  const targets = endpoints.map((endpoint) => ({
    chain: endpointChainName(port, endpoint, context.sha256),
    text: comment(`${port.name} -> ${endpointText(endpoint)}`),
  }));
  const { affinitySeconds } = port;
  const sticky =
    affinitySeconds === undefined
      ? []
      : targets.map(({ chain, text }): Rule => {
          const seen: Match = { kind: 'recent', mode: 'rcheck', list: chain, seconds: affinitySeconds, reap: true };
          return { matches: [text, seen], target: jump(chain) };
        });
  const random = targets.map(({ chain, text }, index): Rule => {
    const left = targets.length - index;
    const draw: Match[] = left === 1 ? [] : [{ kind: 'statistic', probability: 1 / left }];
    return { matches: [text, ...draw], target: jump(chain) };
  });
  return [...sticky, ...random];
}

function endpointRules(port: ServicePort, endpoint: Endpoint, chain: string): Rule[] {
  const { address } = endpoint;
  const text = comment(port.name);
  const note: Match[] = port.affinitySeconds === undefined ? [] : [{ kind: 'recent', mode: 'set', list: chain }];
  return [
    // A pod that reaches itself through its Service would answer itself directly.
    { source: hostPrefix(address), matches: [text], target: jump(MARK_MASQ) },
    {
      protocol: { name: port.protocol },
      matches: [text, ...note, { kind: port.protocol }],
      target: { kind: 'dnat', address, port: endpoint.port },
    },
  ];
}
