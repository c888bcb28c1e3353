/**
 * Chains in the form in which packets meet them: conditions on addresses, protocol and destination port as plain numbers
 * in one object a rule (what all but a few of kube-proxy's rules consist of), everything else as a list of tests.
 */

import type { NetDevice } from '../../shared/netstack/device.ts';
import type { DropReason, Verdict } from '../../shared/netstack/hooks.ts';
import type { IcmpType } from '../../shared/rules/icmp-type.ts';
import type { ConnectionState, Match, PortMatch, PortRange } from '../../shared/rules/match.ts';
import { type DeviceMatch, PROTOCOL_NUMBERS, type PrefixMatch, type Rule } from '../../shared/rules/rule.ts';
import type { Target } from '../../shared/rules/target.ts';
import type { TcpFlags } from '../../shared/rules/tcp-flags.ts';
import { prefixMask } from '../../shared/wire/address.ts';
import * as icmp from '../../shared/wire/icmp.ts';
import { addressBits, isInNetwork } from '../../shared/wire/ip-address.ts';
import { isIpv6 } from '../../shared/wire/ipv6-table.ts';
import * as tcp from '../../shared/wire/tcp.ts';
import type { Connection } from './flow.ts';
import type { IpSet } from './ipvs/ip-set.ts';
import type { PacketFacts } from './packet-facts.ts';
import type { RecentLists } from './recent-lists.ts';

/** What matches need beside the packet. */
export interface MatchContext {
  readonly random: () => number;
  readonly nowUs: () => number;
  readonly isLocalAddress: (address: number) => boolean;
  /** Of `device` itself. */
  readonly isAddressOf: (device: NetDevice, address: number) => boolean;
  readonly recent: RecentLists;
  readonly isNodeAddress: (address: number) => boolean;
  /** By the name that `-m set` gives; a set that is not there contains nothing. */
  readonly ipSet?: (name: string) => IpSet | undefined;
  /** Writes a line into the kernel's log. */
  readonly log?: (line: string) => void;
}

export type Test = (facts: PacketFacts) => boolean;

export class CompiledChain {
  readonly name: string;
  rules: CompiledRule[] = [];
  /** Of a built-in chain: packets that no rule decided. */
  policyPackets = 0;
  /** null accepts them. */
  policy: Verdict = null;
  policyBytes = 0;

  constructor(name: string) {
    this.name = name;
  }
}

const ANY = -1;

export class CompiledRule {
  readonly chain: CompiledChain;
  readonly rule: Rule;
  /** 0-based, in its chain. */
  readonly index: number;
  readonly target: Target | null;
  /** Where `jump` and `goto` lead. */
  readonly next: CompiledChain | null;
  /** What DROP and REJECT answer. */
  readonly verdict: Verdict;
  packets = 0;
  bytes = 0;
  private readonly source: number;
  private readonly sourceMask: number;
  private readonly sourceNegated: boolean;
  private readonly destination: number;
  private readonly destinationMask: number;
  private readonly destinationNegated: boolean;
  private readonly protocol: number;
  private readonly protocolNegated: boolean;
  private readonly firstPort: number;
  private readonly lastPort: number;
  private readonly tests: readonly Test[];

  constructor(
    chain: CompiledChain,
    index: number,
    rule: Rule,
    next: CompiledChain | null,
    context: MatchContext,
    where: string,
  ) {
    this.chain = chain;
    this.index = index;
    this.rule = rule;
    this.next = next;
    this.target = rule.target ?? null;
    this.verdict = verdictOf(this.target, where);
    this.sourceMask = maskOf(rule.source);
    this.source = (rule.source?.address ?? 0) & this.sourceMask;
    this.sourceNegated = isTested(rule.source) ? false : (rule.source?.negated ?? false);
    this.destinationMask = maskOf(rule.destination);
    this.destination = (rule.destination?.address ?? 0) & this.destinationMask;
    this.destinationNegated = isTested(rule.destination) ? false : (rule.destination?.negated ?? false);
    this.protocol = rule.protocol === undefined ? ANY : PROTOCOL_NUMBERS[rule.protocol.name];
    this.protocolNegated = rule.protocol?.negated ?? false;
    const plain = plainPortMatch(rule);
    this.firstPort = plain?.destination?.first ?? ANY;
    this.lastPort = plain?.destination?.last ?? 65_535;
    this.tests = testsOf(rule, context, plain);
  }

  matches(facts: PacketFacts): boolean {
    if ((((facts.destination ^ this.destination) & this.destinationMask) !== 0) !== this.destinationNegated)
      return false;
    if ((((facts.source ^ this.source) & this.sourceMask) !== 0) !== this.sourceNegated) return false;
    if (this.protocol !== ANY && (facts.protocol === this.protocol) === this.protocolNegated) return false;
    if (facts.destinationPort < this.firstPort || facts.destinationPort > this.lastPort) return false;
    const { tests } = this;
    for (let i = 0; i < tests.length; i++) if (!tests[i]!(facts)) return false;
    return true;
  }
}

/** Of an IPv6 prefix only a whole address is compared as a number, which is what most of kube-proxy's rules name. */
function maskOf(prefix: PrefixMatch | undefined): number {
  if (prefix === undefined || isTested(prefix)) return 0;
  return isIpv6(prefix.address) ? -1 : prefixMask(prefix.prefixLength) | 0;
}

/** An IPv6 network: its number says nothing of the addresses in it. */
function isTested(prefix: PrefixMatch | undefined): boolean {
  return prefix !== undefined && isIpv6(prefix.address) && prefix.prefixLength < addressBits(prefix.address);
}

/** The one condition on ports that is common enough to stand in the rule itself: `--dport`. */
function plainPortMatch(rule: Rule): PortMatch | undefined {
  for (const match of rule.matches ?? []) {
    const ported = match.kind === 'tcp' || match.kind === 'udp';
    if (
      ported &&
      match.flags === undefined &&
      match.destination !== undefined &&
      !match.destinationNegated &&
      match.source === undefined
    ) {
      return match;
    }
  }
  return undefined;
}

function verdictOf(target: Target | null, where: string): Verdict {
  if (target?.kind === 'drop') return reason('rule-drop', where);
  if (target?.kind !== 'reject') return null;
  const reject = target.with === 'tcp-reset' ? 'tcp-reset' : 'port-unreachable';
  return Object.freeze({ reject, reason: reason('rule-reject', where) });
}

/** Of a built-in chain with the policy DROP. */
export function policyVerdict(where: string): Verdict {
  return reason('rule-drop', `${where} policy`);
}

function reason(code: string, cause: string): DropReason {
  return Object.freeze({ code, cause });
}

function testsOf(rule: Rule, context: MatchContext, done: Match | undefined): Test[] {
  const tests: Test[] = [];
  const { source, destination, inDevice, outDevice } = rule;
  if (source !== undefined && isTested(source)) tests.push((facts) => isWithin(facts.source, source));
  if (destination !== undefined && isTested(destination))
    tests.push((facts) => isWithin(facts.destination, destination));
  if (inDevice !== undefined) tests.push((facts) => deviceMatches(inDevice, facts.inDevice));
  if (outDevice !== undefined) tests.push((facts) => deviceMatches(outDevice, facts.outDevice));
  for (const match of rule.matches ?? []) {
    if (match !== done) addTests(match, context, tests);
  }
  return tests;
}

function isWithin(address: number, { address: network, prefixLength, negated = false }: PrefixMatch): boolean {
  return isInNetwork(address >>> 0, network, prefixLength) !== negated;
}

function addTests(match: Match, context: MatchContext, tests: Test[]): void {
  const negated = 'negated' in match && match.negated === true;
  switch (match.kind) {
    case 'comment':
    case 'nfacct':
      return;
    case 'tcp':
    case 'udp':
    case 'sctp': {
      const { source, destination } = match;
      if (source !== undefined) tests.push(portTest((facts) => facts.sourcePort, [source], match.sourceNegated));
      if (destination !== undefined) {
        tests.push(portTest((facts) => facts.destinationPort, [destination], match.destinationNegated));
      }
      if (match.flags !== undefined) tests.push(flagsTest(match.flags, match.flagsNegated));
      return;
    }
    case 'icmp':
    case 'icmp6':
      tests.push(icmpTest(match.icmp, negated));
      return;
    case 'multiport':
      tests.push(
        portTest((facts) => (match.side === 'source' ? facts.sourcePort : facts.destinationPort), match.ports, false),
      );
      return;
    case 'set':
      tests.push((facts) => (context.ipSet?.(match.set)?.has(facts, match.sides) ?? false) !== negated);
      return;
    case 'statistic':
      tests.push(() => context.random() < match.probability);
      return;
    case 'mark':
      tests.push((facts) => ((facts.packet.mark & match.mask) >>> 0 === match.value) !== negated);
      return;
    case 'conntrack':
      tests.push((facts) => match.states.some((state) => inState(facts, state)) !== negated);
      return;
    case 'addrtype':
      tests.push((facts) => {
        const address = match.side === 'source' ? facts.source : facts.destination;
        const { inDevice } = facts;
        if (match.ofInDevice && inDevice !== null) return context.isAddressOf(inDevice, address >>> 0) !== negated;
        return context.isLocalAddress(address >>> 0) !== negated;
      });
      return;
    case 'physdev':
      tests.push(physdevTest(match.test, negated));
      return;
    case 'recent':
      tests.push((facts) => {
        const nowUs = context.nowUs();
        const { recent } = context;
        if (match.reap && match.seconds !== undefined) recent.reap(match.list, match.seconds, nowUs);
        const found = match.mode === 'set' || recent.has(match.list, facts.source, match.seconds, nowUs);
        if (match.mode === 'set' || (match.mode === 'update' && found)) recent.set(match.list, facts.source, nowUs);
        return found !== negated;
      });
  }
}

function portTest(port: (facts: PacketFacts) => number, ranges: readonly PortRange[], negated = false): Test {
  return (facts) => {
    const value = port(facts);
    return value >= 0 && ranges.some(({ first, last }) => value >= first && value <= last) !== negated;
  };
}

function flagsTest({ mask, set }: TcpFlags, negated = false): Test {
  return (facts) => {
    if (transportBytes(facts) < tcp.HEADER_BYTES) return false;
    return ((tcp.flags(facts.view, facts.packet.transportOffset) & mask) === set) !== negated;
  };
}

function icmpTest({ type, code }: IcmpType, negated: boolean): Test {
  return (facts) => {
    if (transportBytes(facts) < icmp.HEADER_BYTES) return false;
    const { view, packet } = facts;
    const same = icmp.type(view, packet.transportOffset) === type;
    return (same && (code === undefined || icmp.code(view, packet.transportOffset) === code)) !== negated;
  };
}

function transportBytes({ packet, bytes }: PacketFacts): number {
  return packet.networkOffset + bytes - packet.transportOffset;
}

function deviceMatches(match: DeviceMatch, device: NetDevice | null): boolean {
  const name = device?.name ?? '';
  const same = match.name.endsWith('+') ? name.startsWith(match.name.slice(0, -1)) : name === match.name;
  return same !== (match.negated ?? false);
}

type PhysdevTestKind = Extract<Match, { kind: 'physdev' }>['test'];

function physdevTest(test: PhysdevTestKind, negated: boolean): Test {
  switch (test.kind) {
    case 'in':
      return (facts) => (facts.physIn?.name === test.device) !== negated;
    case 'out':
      return (facts) => (facts.physOut?.name === test.device) !== negated;
    case 'is-in':
      return (facts) => (facts.physIn !== null) !== negated;
    case 'is-out':
      return (facts) => (facts.physOut !== null) !== negated;
    case 'is-bridged':
      return (facts) => (facts.physIn !== null && facts.physOut !== null) !== negated;
  }
}

function inState(facts: PacketFacts, state: ConnectionState): boolean {
  const { flow } = facts;
  if (flow === null) return state === (facts.untracked ? 'UNTRACKED' : 'INVALID');
  switch (state) {
    case 'RELATED':
      return flow.relatedTo !== null;
    case 'ESTABLISHED':
      return flow.relatedTo === null && isEstablished(flow.connection, flow.isReply);
    case 'NEW':
      return flow.relatedTo === null && !isEstablished(flow.connection, flow.isReply);
    case 'SNAT':
      return flow.connection.sourceNat;
    case 'DNAT':
      return flow.connection.destinationNat;
    default:
      return false;
  }
}

function isEstablished(connection: Connection, isReply: boolean): boolean {
  return isReply || connection.seenReply;
}
