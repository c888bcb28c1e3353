/** Tables as `iptables -L` prints them (iptables 1.8's columns), with or without `-v`, `-n`, `-x` and `--line-numbers`. */
import { formatAddress, formatEndpoint, type IpFamily, networkOf } from '../wire/ip-address.ts';
import { icmpTypeName } from './icmp-type.ts';
import {
  formatMark,
  formatRange,
  kernelProbability,
  protocolName,
  type RuleCounter,
  WHOLE_ADDRESS,
} from './iptables-save.ts';
import type { IcmpMatch, Match, PortMatch, PortRange } from './match.ts';
import { PROTOCOL_NUMBERS, type PrefixMatch, type ProtocolMatch, type Rule } from './rule.ts';
import type { Ruleset } from './ruleset.ts';
import { BUILT_IN_CHAINS, type Chain, isBuiltInChain, type TableName } from './table.ts';
import type { Target } from './target.ts';
import { type TcpFlags, tcpFlagsText } from './tcp-flags.ts';

export interface ListOptions {
  readonly family: IpFamily;
  readonly table: TableName;
  /** One chain instead of all; it exists. */
  readonly chain?: string;
  /** One rule of that chain, counted from 1, without headings. */
  readonly rule?: number;
  /** `-v`: counters and devices. */
  readonly verbose: boolean;
  /** `-n`; without it names of protocols, and `anywhere`. */
  readonly numeric: boolean;
  /** `-x`: counters in full. */
  readonly exact: boolean;
  readonly lineNumbers: boolean;
  /** Of a rule (0-based), or of a built-in chain's policy (index -1). */
  readonly counters: (chain: string, index: number) => RuleCounter;
}

/** The text, each chain with its heading; user chains in alphabetical order. */
export function iptablesList(ruleset: Ruleset, options: ListOptions): string {
  const { chains } = ruleset.tables[options.table];
  if (options.rule !== undefined) {
    const rule = chains.get(options.chain ?? '')?.rules[options.rule - 1];
    return rule === undefined ? '' : `${ruleLine(options.chain!, rule, options.rule - 1, options)}\n`;
  }
  const userChains = [...chains.keys()].filter((name) => !isBuiltInChain(options.table, name)).sort();
  const names = options.chain === undefined ? [...BUILT_IN_CHAINS[options.table], ...userChains] : [options.chain];
  return names.map((name) => chainText(name, chains, options)).join('\n');
}

function chainText(name: string, chains: ReadonlyMap<string, Chain>, options: ListOptions): string {
  const rules = chains.get(name)?.rules ?? [];
  const lines = [`Chain ${name} (${describeChain(name, chains, options)})`, headings(options)];
  rules.forEach((rule, index) => {
    lines.push(ruleLine(name, rule, index, options));
  });
  return `${lines.join('\n')}\n`;
}

function describeChain(name: string, chains: ReadonlyMap<string, Chain>, options: ListOptions): string {
  if (!isBuiltInChain(options.table, name)) return `${references(name, chains)} references`;
  const policy = `policy ${chains.get(name)?.policy ?? 'ACCEPT'}`;
  if (!options.verbose) return policy;
  const { packets, bytes } = options.counters(name, -1);
  return `${policy} ${counterText(packets, options)} packets, ${counterText(bytes, options)} bytes`;
}

function references(name: string, chains: ReadonlyMap<string, Chain>): number {
  let count = 0;
  for (const { rules } of chains.values()) {
    for (const { target } of rules) {
      if ((target?.kind === 'jump' || target?.kind === 'goto') && target.chain === name) count++;
    }
  }
  return count;
}

function headings({ verbose, exact, lineNumbers }: ListOptions): string {
  const number = lineNumbers ? 'num  ' : '';
  const counters = !verbose ? '' : exact ? '    pkts      bytes ' : ' pkts bytes ';
  const devices = verbose ? 'in     out     ' : '';
  return `${number}${counters}target     prot opt ${devices}source               destination         `;
}

function ruleLine(chain: string, rule: Rule, index: number, options: ListOptions): string {
  const { verbose, lineNumbers } = options;
  const { packets, bytes } = options.counters(chain, index);
  const width = options.exact ? 8 : 5;
  const counters = [packets, bytes].map((value) => `${counterText(value, options).padStart(width)} `).join('');
  const devices = ` ${deviceText(rule.inDevice).padEnd(6)} ${deviceText(rule.outDevice).padEnd(6)} `;
  return [
    lineNumbers ? `${index + 1}`.padEnd(5) : '',
    verbose ? counters : '',
    `${targetName(rule.target).padEnd(9)} `,
    protocolText(rule.protocol, options.numeric),
    '-- ',
    verbose ? devices : '',
    prefixText(rule.source, options),
    prefixText(rule.destination, options),
    rule.target?.kind === 'goto' ? '[goto] ' : '',
    ...(rule.matches ?? []).map((match) => ` ${matchText(match, options)}`),
    targetText(rule.target),
  ].join('');
}

/** At most five characters without `-x`: 123K, 100M. */
function counterText(value: number, { exact }: ListOptions): string {
  if (exact || value <= 99_999) return String(value);
  let rounded = value;
  for (const unit of ['K', 'M', 'G']) {
    rounded = Math.floor((rounded + 500) / 1000);
    if (rounded <= 9999) return `${rounded}${unit}`;
  }
  return `${Math.floor((rounded + 500) / 1000)}T`;
}

function deviceText(device: Rule['inDevice']): string {
  return device === undefined ? '*' : `${device.negated ? '!' : ''}${device.name}`;
}

function protocolText(protocol: ProtocolMatch | undefined, numeric: boolean): string {
  const [number, name] =
    protocol === undefined ? [0, 'all'] : [PROTOCOL_NUMBERS[protocol.name], protocolName(protocol.name)];
  return `${protocol?.negated ? '!' : ' '}${(numeric ? String(number) : name).padEnd(4)} `;
}

function prefixText(prefix: PrefixMatch | undefined, { family, numeric }: ListOptions): string {
  const negated = prefix?.negated ? '!' : ' ';
  return `${negated}${(prefix === undefined || prefix.prefixLength === 0 ? everywhere(family, numeric) : networkText(prefix, family)).padEnd(19)} `;
}

function everywhere(family: IpFamily, numeric: boolean): string {
  if (!numeric) return 'anywhere';
  return family === 'ipv6' ? '::/0' : '0.0.0.0/0';
}

function networkText({ address, prefixLength }: PrefixMatch, family: IpFamily): string {
  const network = formatAddress(networkOf(address, prefixLength));
  return prefixLength === (family === 'ipv6' ? 128 : 32) ? network : `${network}/${prefixLength}`;
}

function matchText(match: Match, { family, numeric }: ListOptions): string {
  switch (match.kind) {
    case 'tcp':
    case 'udp':
    case 'sctp':
      return portText(match, numeric);
    case 'icmp':
    case 'icmp6':
      return icmpText(match, family, numeric);
    case 'multiport':
      return `multiport ${match.side === 'source' ? 's' : 'd'}ports ${match.ports.map(formatRange).join(',')}`;
    case 'comment':
      return `/* ${match.comment} */`;
    case 'statistic':
      return `statistic mode random probability ${kernelProbability(match.probability)}`;
    case 'mark':
      return `mark match ${exclamation(match)}${formatMark(match.value, match.mask)}`;
    case 'conntrack':
      return `${exclamation(match)}ctstate ${match.states.join(',')}`;
    case 'addrtype':
      return `ADDRTYPE match ${match.side === 'source' ? 'src' : 'dst'}-type ${match.negated ? '!' : ''}${match.type}`;
    case 'physdev': {
      const device = 'device' in match.test ? ` ${match.test.device}` : '';
      return `PHYSDEV match ${exclamation(match)}--physdev-${match.test.kind}${device}`;
    }
    case 'recent': {
      const mode = { set: 'SET', rcheck: 'CHECK', update: 'UPDATE' }[match.mode];
      const seconds = match.seconds === undefined ? '' : ` seconds: ${match.seconds}`;
      const reap = match.reap ? ' reap' : '';
      return `${exclamation(match)}recent: ${mode}${seconds}${reap} name: ${match.list} side: source mask: ${WHOLE_ADDRESS[family]}`;
    }
    case 'set':
      return `${exclamation(match)}match-set ${match.set} ${match.sides.join(',')}`;
    case 'nfacct':
      return `nfacct-name  ${match.name}`;
  }
}

function exclamation({ negated }: { readonly negated?: boolean }): string {
  return negated ? '! ' : '';
}

/** `icmptype 3 code 4`, or `icmp fragmentation-needed`. */
function icmpText({ kind, icmp, negated }: IcmpMatch, family: IpFamily, numeric: boolean): string {
  const name = kind === 'icmp' ? 'icmp' : 'ipv6-icmp';
  if (!numeric) return `${name} ${negated ? '!' : ''}${icmpTypeName(icmp, family)}`;
  const code = icmp.code === undefined ? '' : ` code ${icmp.code}`;
  return `${name}${negated ? ' !' : ''}type ${icmp.type}${code}`;
}

function portText(match: PortMatch, numeric: boolean): string {
  const parts: string[] = [match.kind];
  if (match.source !== undefined) parts.push(portsText('s', match.source, match.sourceNegated));
  if (match.destination !== undefined) parts.push(portsText('d', match.destination, match.destinationNegated));
  if (match.flags !== undefined) parts.push(`flags:${match.flagsNegated ? '!' : ''}${flagsText(match.flags, numeric)}`);
  return parts.join(' ');
}

/** `0x17/0x02`, or `FIN,SYN,RST,ACK/SYN`. */
function flagsText({ mask, set }: TcpFlags, numeric: boolean): string {
  const hex = (bits: number): string => `0x${bits.toString(16).toUpperCase().padStart(2, '0')}`;
  return numeric ? `${hex(mask)}/${hex(set)}` : `${tcpFlagsText(mask)}/${tcpFlagsText(set)}`;
}

/** `dpt:80`, `spts:1000:2000`, `dpt:!53`. */
function portsText(side: 's' | 'd', range: PortRange, negated: boolean | undefined): string {
  return `${side}pt${range.first === range.last ? '' : 's'}:${negated ? '!' : ''}${formatRange(range)}`;
}

function targetName(target: Target | undefined): string {
  if (target === undefined) return '';
  if (target.kind === 'restore-mark') return 'CONNMARK';
  return target.kind === 'jump' || target.kind === 'goto' ? target.chain : target.kind.toUpperCase();
}

/** What the target's extension says of itself, at the end of the line. */
function targetText(target: Target | undefined): string {
  switch (target?.kind) {
    case 'reject':
      return ` reject-with ${target.with}`;
    case 'dnat':
      return ` to:${target.port === undefined ? formatAddress(target.address) : formatEndpoint(target.address, target.port)}`;
    case 'snat':
      return ` to:${formatAddress(target.address)}${target.randomFully ? ' random-fully' : ''}`;
    case 'masquerade':
      return target.randomFully ? ' random-fully' : '';
    case 'mark':
      return ` MARK ${markText(target.value, target.mask)}`;
    case 'connmark':
      return ` CONNMARK ${markText(target.value, target.mask)}`;
    case 'restore-mark':
      return ` CONNMARK restore mask 0x${target.mask.toString(16)}`;
    case 'log': {
      const prefix = target.prefix === '' ? '' : ` prefix "${target.prefix}"`;
      return ` LOG flags 0 level ${target.level}${prefix}`;
    }
    default:
      return '';
  }
}

function markText(value: number, mask: number): string {
  const hex = (number: number): string => `0x${(number >>> 0).toString(16)}`;
  if (value === 0) return `and ${hex(~mask)}`;
  if (value === mask) return `or ${hex(value)}`;
  if (mask === 0) return `xor ${hex(value)}`;
  return mask === 0xffff_ffff ? `set ${hex(value)}` : `xset ${hex(value)}/${hex(mask)}`;
}
