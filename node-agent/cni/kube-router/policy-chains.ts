/**
 * NetworkPolicies in kube-router's chains and ipsets. Pure.
 *
 *   INPUT, FORWARD, OUTPUT -> KUBE-ROUTER-... -> for each pod here that a policy selects:
 *     KUBE-POD-FW-<pod>: known connections pass -> KUBE-NWPLCY-<policy>, ... -> without the mark 0x10000: dropped
 *       KUBE-NWPLCY-<policy, direction>: each rule, by ipsets of sources and destinations, sets the mark
 */
import { type ClusterState, PolicyCompiler } from '../../../shared/policy/compile.ts';
import type { PolicyPod } from '../../../shared/policy/policy-pod.ts';
import type { Policy } from '../../../shared/policy/policy-rule.ts';
import type { IpSetChange } from '../../../shared/rules/ipvs.ts';
import { comment } from '../../../shared/rules/match.ts';
import type { Rule } from '../../../shared/rules/rule.ts';
import { jump } from '../../../shared/rules/target.ts';
import type { HookRule } from '../../../shared/rules/transaction.ts';
import { isIpv6 } from '../../../shared/wire/ipv6-table.ts';
import { ALLOWED, type Direction, hashOf, policyRules, short } from './policy-rules.ts';

export interface PolicyChains {
  readonly chains: Readonly<Record<string, readonly Rule[]>>;
  readonly hooks: readonly HookRule[];
  readonly ipSets: Readonly<Record<string, IpSetChange>>;
}

export const NO_POLICIES: PolicyChains = { chains: {}, hooks: [], ipSets: {} };
/** All policies of a pod were asked, and allow it. */
const COMPLIES = { value: 0x2_0000, mask: 0x2_0000 } as const;
const DEFAULT_CHAIN = 'KUBE-NWPLCY-DEFAULT';
const NODE_PORTS = [{ first: 30_000, last: 32_767 }];

/** `here`: pods of the node; `nodesSet`: the ipset of the nodes' addresses. */
export function policyChains(state: ClusterState, here: readonly PolicyPod[], nodesSet: string): PolicyChains {
  const compiler = new PolicyCompiler(state);
  const chains: Record<string, readonly Rule[]> = {};
  const ipSets: Record<string, IpSetChange> = {};
  const jumps: { readonly pod: PolicyPod; readonly address: number; readonly chain: string }[] = [];
  for (const pod of here) {
    const policies = state.policies.filter(({ subject }) => compiler.podsIn(subject).has(pod));
    const [address] = pod.addresses.filter((one) => !isIpv6(one));
    if (policies.length === 0 || address === undefined) continue;
    const chain = `KUBE-POD-FW-${hashOf(pod.namespace, pod.name)}`;
    jumps.push({ pod, address, chain });
    chains[chain] = podRules(pod, address, policies);
    for (const policy of policies) {
      for (const direction of ['ingress', 'egress'] as const) {
        const name = chainOf(policy, direction);
        if (policy[direction] === null || chains[name] !== undefined) continue;
        const compiled = policyRules(policy, direction, compiler, state.pods);
        chains[name] = compiled.rules;
        Object.assign(ipSets, compiled.ipSets);
      }
    }
  }
  if (jumps.length === 0) return NO_POLICIES;
  chains[DEFAULT_CHAIN] = [
    { matches: [comment('rule to mark traffic matching a network policy')], target: { kind: 'mark', ...ALLOWED } },
  ];
  const towards = jumps.map(
    ({ pod, address, chain }): Rule => ({
      destination: { address, prefixLength: 32 },
      matches: [
        short(`rule to jump traffic destined to POD name:${pod.name} namespace: ${pod.namespace} to chain ${chain}`),
      ],
      target: jump(chain),
    }),
  );
  const from = (matches: Rule['matches'] = []) =>
    jumps.map(
      ({ pod, address, chain }): Rule => ({
        source: { address, prefixLength: 32 },
        matches: [
          short(`rule to jump traffic from POD name:${pod.name} namespace: ${pod.namespace} to chain ${chain}`),
          ...matches,
        ],
        target: jump(chain),
      }),
    );
  const toNodes = from([{ kind: 'set', set: nodesSet, sides: ['dst'] }]);
  chains['KUBE-ROUTER-INPUT'] = [...nodePorts(), ...toNodes, ACCEPT];
  chains['KUBE-ROUTER-FORWARD'] = [...towards, ...from(), ACCEPT];
  chains['KUBE-ROUTER-OUTPUT'] = [...towards, ...from(), ACCEPT];
  return { chains, hooks: (['INPUT', 'FORWARD', 'OUTPUT'] as const).map(hook), ipSets };
}

const ACCEPT: Rule = {
  matches: [
    comment('rule to explicitly ACCEPT traffic that comply to network policies'),
    { kind: 'mark', ...COMPLIES },
  ],
  target: { kind: 'accept' },
};

function hook(chain: 'INPUT' | 'FORWARD' | 'OUTPUT'): HookRule {
  const target = `KUBE-ROUTER-${chain}`;
  const id = hashOf(chain, target);
  return {
    chain,
    position: 'first',
    rule: { matches: [comment(`kube-router netpol - ${id}`)], target: jump(target) },
  };
}

/** They are a Service's, and judged once they have their pod. */
function nodePorts(): Rule[] {
  return (['tcp', 'udp'] as const).map((name) => ({
    protocol: { name },
    matches: [
      comment(`allow LOCAL ${name.toUpperCase()} traffic to node ports`),
      { kind: 'addrtype', side: 'destination', type: 'LOCAL' },
      { kind: 'multiport', side: 'destination', ports: NODE_PORTS },
    ],
    target: { kind: 'return' },
  }));
}

function podRules({ namespace, name }: PolicyPod, address: number, policies: readonly Policy[]): Rule[] {
  const own = { address, prefixLength: 32 };
  const accept = { kind: 'accept' } as const;
  return [
    {
      matches: [
        comment('rule for stateful firewall for pod'),
        { kind: 'conntrack', states: ['RELATED', 'ESTABLISHED'] },
      ],
      target: accept,
    },
    {
      matches: [comment('rule to drop invalid state for pod'), { kind: 'conntrack', states: ['INVALID'] }],
      target: { kind: 'drop' },
    },
    {
      destination: own,
      matches: [
        comment("rule to permit the traffic traffic to pods when source is the pod's local node"),
        { kind: 'addrtype', side: 'source', type: 'LOCAL' },
      ],
      target: accept,
    },
    { source: own, destination: own, matches: [comment('rule to permit what a pod sends to itself')], target: accept },
    ...throughPolicies({ destination: own }, 'ingress', policies),
    ...throughPolicies({ source: own }, 'egress', policies),
    {
      matches: [
        short(`rule to DROP traffic destined for POD name:${name} namespace: ${namespace}`),
        { kind: 'mark', ...ALLOWED, negated: true },
      ],
      target: { kind: 'drop' },
    },
    { target: { kind: 'mark', value: 0, mask: ALLOWED.mask } },
    {
      matches: [comment('set mark to ACCEPT traffic that comply to network policies')],
      target: { kind: 'mark', ...COMPLIES },
    },
  ];
}

function throughPolicies(side: Rule, direction: Direction, policies: readonly Policy[]): Rule[] {
  const speaking = policies.filter((policy) => policy[direction] !== null);
  if (speaking.length === 0) {
    const text = `run through default ${direction} network policy chain`;
    return [{ ...side, matches: [comment(text)], target: jump(DEFAULT_CHAIN) }];
  }
  return speaking.map((policy) => ({
    ...side,
    matches: [short(`run through nw policy ${nameOf(policy)}`)],
    target: jump(chainOf(policy, direction)),
  }));
}

/** One for each direction: what an egress rule allows of a packet must not pass for its ingress. */
function chainOf({ title }: Policy, direction: Direction): string {
  return `KUBE-NWPLCY-${hashOf(title, direction)}`;
}

/** Without its namespace. */
function nameOf({ title }: Policy): string {
  return title.slice(title.indexOf('/') + 1);
}
