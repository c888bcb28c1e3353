/** One NetworkPolicy as rules of its chain, and the ipsets that they ask. Pure. */
import { createHash } from 'node:crypto';
import type { PolicyCompiler } from '../../../shared/policy/compile.ts';
import type { PolicyPod } from '../../../shared/policy/policy-pod.ts';
import type { AddressBlock, Policy, PolicyRule, RulePort } from '../../../shared/policy/policy-rule.ts';
import type { IpSetChange, IpSetEntry } from '../../../shared/rules/ipvs.ts';
import { comment, type Match, type SetMatch } from '../../../shared/rules/match.ts';
import type { Rule } from '../../../shared/rules/rule.ts';
import { isInNetwork, networkOf, parsePrefix } from '../../../shared/wire/ip-address.ts';
import { isIpv6 } from '../../../shared/wire/ipv6-table.ts';

/** What a policy allows of the packet at hand. */
export const ALLOWED = { value: 0x1_0000, mask: 0x1_0000 } as const;

export interface CompiledPolicy {
  readonly rules: readonly Rule[];
  readonly ipSets: Readonly<Record<string, IpSetChange>>;
}

export type Direction = 'ingress' | 'egress';
type Side = 'src' | 'dst';
type NumberedPort = Extract<RulePort, { readonly first: number }>;

const MAX_PORT = 65_535;
const MAX_COMMENT_BYTES = 255;
const PROTOCOL_NAMES: Readonly<Record<number, 'tcp' | 'udp' | 'sctp'>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };

/** What it says of one direction; `pods`: of the whole cluster. */
export function policyRules(
  policy: Policy,
  direction: Direction,
  compiler: PolicyCompiler,
  pods: readonly PolicyPod[],
): CompiledPolicy {
  const ipSets: Record<string, IpSetChange> = {};
  const rules = (policy[direction] ?? []).flatMap((rule, i) => {
    const id = `${policy.title} ${direction} ${i}`;
    return new RuleCompiler({ policy, direction, compiler, pods, ipSets, id }).compile(rule);
  });
  return { rules, ipSets };
}

interface RuleContext {
  readonly policy: Policy;
  readonly direction: Direction;
  readonly compiler: PolicyCompiler;
  readonly pods: readonly PolicyPod[];
  /** Gathers what the rules ask. */
  readonly ipSets: Record<string, IpSetChange>;
  /** Of the rule. */
  readonly id: string;
}

/** One rule of a policy: its peers and ports multiply. */
class RuleCompiler {
  private readonly context: RuleContext;
  private readonly subjects: ReadonlySet<PolicyPod>;

  constructor(context: RuleContext) {
    this.context = context;
    this.subjects = context.compiler.podsIn(context.policy.subject);
  }

  compile(rule: PolicyRule): Rule[] {
    const peers = this.peersOf(rule);
    const own = this.podSet(this.context.direction === 'ingress' ? 'dst' : 'src', 'subject', this.subjects);
    if (rule.ports === null) return peers.flatMap((peer) => this.allow([own, ...peer]));
    return rule.ports.flatMap((port) => {
      if ('notProtocol' in port) throw new Error('NetworkPolicy has no ports of all protocols but one');
      if (!('name' in port)) return peers.flatMap((peer) => this.allow([own, ...peer], port));
      return this.named(rule, port.name, port.protocol).flatMap(({ servers, number }) =>
        this.context.direction === 'ingress'
          ? peers.flatMap((peer) => this.allow([servers, ...peer], number))
          : this.allow([own, servers], number),
      );
    });
  }

  /** For each number that servers have under that name: who they are. The peers of an egress rule are in that already. */
  private named(rule: PolicyRule, name: string, protocol: number | null) {
    const isIngress = this.context.direction === 'ingress';
    const servers = isIngress ? [...this.subjects] : this.context.pods.filter((pod) => this.covers(rule, pod));
    const byNumber = new Map<string, { readonly number: NumberedPort; readonly having: PolicyPod[] }>();
    for (const pod of servers) {
      for (const port of pod.ports) {
        if (port.name !== name || (protocol !== null && port.protocol !== protocol)) continue;
        const key = `${name} ${port.protocol}/${port.port}`;
        const number = { protocol: port.protocol, first: port.port, last: port.port };
        const known = byNumber.get(key) ?? { number, having: [] };
        known.having.push(pod);
        byNumber.set(key, known);
      }
    }
    return [...byNumber].map(([key, { number, having }]) => ({ number, servers: this.podSet('dst', key, having) }));
  }

  /** What each kind of peer asks of a packet; one that asks nothing where everybody is meant. */
  private peersOf(rule: PolicyRule): SetMatch[][] {
    if (rule.peers === null) return [[]];
    const side = this.context.direction === 'ingress' ? 'src' : 'dst';
    const named = this.podsOf(rule);
    const pods = named.size === 0 ? [] : [[this.podSet(side, 'pods', named)]];
    const blocks = blocksOf(rule).map((block, i) => [this.set(side, `block ${i}`, 'hash:net', blockEntries(block))]);
    return [...pods, ...blocks];
  }

  private podsOf({ peers }: PolicyRule): ReadonlySet<PolicyPod> {
    const scopes = (peers ?? []).flatMap((peer) => ('pods' in peer ? [peer.pods] : []));
    return new Set(scopes.flatMap((scope) => [...this.context.compiler.podsIn(scope)]));
  }

  private covers(rule: PolicyRule, pod: PolicyPod): boolean {
    if (rule.peers === null || this.podsOf(rule).has(pod)) return true;
    return addressesOf([pod]).some((address) => blocksOf(rule).some((block) => isInBlock(address, block)));
  }

  private podSet(side: Side, what: string, pods: Iterable<PolicyPod>): SetMatch {
    const entries = addressesOf(pods).map((address) => ({ address }));
    return this.set(side, what, 'hash:ip', entries);
  }

  private set(side: Side, what: string, type: IpSetChange['type'], add: readonly IpSetEntry[]): SetMatch {
    const { policy, direction, id } = this.context;
    const owner = what === 'subject' ? `${policy.title} ${direction}` : id;
    const set = `KUBE-${side.toUpperCase()}-${hashOf(owner, what)}`;
    this.context.ipSets[set] = { type, add };
    return { kind: 'set', set, sides: [side] };
  }

  /** Sets the mark, and asks no further. */
  private allow(sets: readonly SetMatch[], port?: NumberedPort): Rule[] {
    const { title } = this.context.policy;
    const [namespace = '', name = ''] = title.slice(title.indexOf(' ') + 1).split('/');
    const text = `rule to ACCEPT traffic from source pods to dest pods selected by policy name ${name} namespace ${namespace}`;
    const protocol = port === undefined ? undefined : PROTOCOL_NAMES[port.protocol];
    const matches: Match[] = [short(text), ...sets];
    if (port !== undefined && protocol !== undefined && (port.first > 0 || port.last < MAX_PORT)) {
      matches.push({ kind: protocol, destination: { first: port.first, last: port.last } });
    }
    const rule = protocol === undefined ? {} : { protocol: { name: protocol } };
    return [
      { ...rule, matches, target: { kind: 'mark', ...ALLOWED } },
      { ...rule, matches: [...matches, { kind: 'mark', ...ALLOWED }], target: { kind: 'return' } },
    ];
  }
}

function addressesOf(pods: Iterable<PolicyPod>): number[] {
  return [...pods].flatMap(({ addresses }) => addresses.filter((address) => !isIpv6(address)));
}

/** Those of IPv4. */
function blocksOf({ peers }: PolicyRule): AddressBlock[] {
  return (peers ?? []).flatMap((peer) => ('block' in peer && !peer.block.cidr.includes(':') ? [peer.block] : []));
}

function isInBlock(address: number, { cidr, except }: AddressBlock): boolean {
  const isIn = (text: string): boolean => {
    const prefix = parsePrefix(text);
    return prefix !== undefined && isInNetwork(address, prefix.address, prefix.prefixLength);
  };
  return isIn(cidr) && !except.some(isIn);
}

/** The longest prefix counts. */
function blockEntries({ cidr, except }: AddressBlock): IpSetEntry[] {
  return [
    ...networks(cidr).map((source) => ({ source })),
    ...except.flatMap(networks).map((source) => ({ source, nomatch: true })),
  ];
}

/** An ipset has no networks of prefix length 0, so that this one becomes two. */
function networks(text: string) {
  const prefix = parsePrefix(text);
  if (prefix === undefined) return [];
  const { address, prefixLength } = prefix;
  if (prefixLength > 0) return [{ address: networkOf(address, prefixLength), prefixLength }];
  return [0, 0x8000_0000].map((half) => ({ address: half, prefixLength: 1 }));
}

/** A comment has at most so many bytes. */
export function short(text: string): Match {
  return comment(text.slice(0, MAX_COMMENT_BYTES));
}

/** Sixteen letters, as kube-router's names end in. */
export function hashOf(...words: readonly string[]): string {
  const digest = createHash('sha256').update(words.join('/')).digest();
  return [...digest.subarray(0, 16)].map((byte) => BASE_32[byte % 32]).join('');
}

const BASE_32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
