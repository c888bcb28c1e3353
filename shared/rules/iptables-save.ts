/** Tables as text, in the format of `iptables-save` (with `-c`: with counters), so that what reads one reads this. */
import { formatAddress, formatEndpoint, type IpFamily, networkOf } from '../wire/ip-address.ts';
import type { IcmpMatch, Match, PortMatch, PortRange } from './match.ts';
import type { PrefixMatch, ProtocolName, Rule } from './rule.ts';
import type { Ruleset } from './ruleset.ts';
import { BUILT_IN_CHAINS, isBuiltInChain, type TableName } from './table.ts';
import { DEFAULT_LOG_LEVEL, type Target } from './target.ts';
import { tcpFlagsText } from './tcp-flags.ts';

export interface RuleCounter {
  readonly packets: number;
  readonly bytes: number;
}

export interface SaveOptions {
  /** Whose tables these are; `ipv4` by default. */
  readonly family?: IpFamily;
  /** One table instead of all (`-t`). */
  readonly table?: TableName;
  /** Counters of a rule (0-based), or of a built-in chain's policy (index -1). */
  readonly counters?: (table: TableName, chain: string, index: number) => RuleCounter;
}

const SAVE_ORDER: readonly TableName[] = ['mangle', 'filter', 'nat'];

/** The whole text, newline-terminated. User chains come in alphabetical order, as libiptc keeps them. */
export function iptablesSave(ruleset: Ruleset, options: SaveOptions = {}): string {
  return SAVE_ORDER.filter((name) => options.table === undefined || options.table === name)
    .map((name) => saveTable(ruleset, name, options))
    .join('');
}

function saveTable(ruleset: Ruleset, name: TableName, options: SaveOptions): string {
  const { chains } = ruleset.tables[name];
  const userChains = [...chains.keys()].filter((chain) => !isBuiltInChain(name, chain)).sort();
  const ordered = [...BUILT_IN_CHAINS[name], ...userChains];
  const counter = (chain: string, index: number) => formatCounter(options.counters?.(name, chain, index));
  const lines = [`*${name}`];
  for (const chain of ordered) {
    const builtIn = isBuiltInChain(name, chain);
    lines.push(
      `:${chain} ${builtIn ? (chains.get(chain)?.policy ?? 'ACCEPT') : '-'} ${builtIn ? counter(chain, -1) : '[0:0]'}`,
    );
  }
  for (const chain of ordered) {
    chains.get(chain)?.rules.forEach((rule, i) => {
      const prefix = options.counters === undefined ? '' : `${counter(chain, i)} `;
      lines.push(`${prefix}${formatRule(chain, rule, options.family)}`);
    });
  }
  lines.push('COMMIT', '');
  return lines.join('\n');
}

function formatCounter(counter: RuleCounter | undefined): string {
  return `[${counter?.packets ?? 0}:${counter?.bytes ?? 0}]`;
}

/** One rule as `iptables -S` prints it: `-A KUBE-SERVICES -d 10.96.0.10/32 -p udp ... -j KUBE-SVC-...`; `-v` with its counter. */
export function formatRule(chain: string, rule: Rule, family: IpFamily = 'ipv4', counter?: RuleCounter): string {
  const parts = [`-A ${chain}`];
  if (rule.source !== undefined) pushPrefix(parts, '-s', rule.source);
  if (rule.destination !== undefined) pushPrefix(parts, '-d', rule.destination);
  if (rule.inDevice !== undefined) parts.push(`${negation(rule.inDevice)}-i ${rule.inDevice.name}`);
  if (rule.outDevice !== undefined) parts.push(`${negation(rule.outDevice)}-o ${rule.outDevice.name}`);
  if (rule.protocol !== undefined) parts.push(`${negation(rule.protocol)}-p ${protocolName(rule.protocol.name)}`);
  for (const match of rule.matches ?? []) parts.push(formatMatch(match, family));
  if (counter !== undefined) parts.push(`-c ${counter.packets} ${counter.bytes}`);
  if (rule.target !== undefined) parts.push(formatTarget(rule.target));
  return parts.join(' ');
}

/** As /etc/protocols has it. */
export function protocolName(name: ProtocolName): string {
  return name === 'icmpv6' ? 'ipv6-icmp' : name;
}

/** Only what shortens to nothing is left out: `-s 0.0.0.0/0` is no condition. */
function pushPrefix(parts: string[], option: '-s' | '-d', prefix: PrefixMatch): void {
  if (prefix.prefixLength === 0 && !prefix.negated) return;
  const network = networkOf(prefix.address, prefix.prefixLength);
  parts.push(`${negation(prefix)}${option} ${formatAddress(network)}/${prefix.prefixLength}`);
}

function negation(match: { readonly negated?: boolean }): string {
  return match.negated ? '! ' : '';
}

export const WHOLE_ADDRESS = { ipv4: '255.255.255.255', ipv6: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff' } as const;

function formatMatch(match: Match, family: IpFamily): string {
  switch (match.kind) {
    case 'tcp':
    case 'udp':
    case 'sctp':
      return formatPortMatch(match);
    case 'icmp':
    case 'icmp6':
      return formatIcmpMatch(match);
    case 'multiport':
      return `-m multiport --${match.side === 'source' ? 's' : 'd'}ports ${match.ports.map(formatRange).join(',')}`;
    case 'comment':
      return `-m comment --comment ${quote(match.comment)}`;
    case 'statistic':
      return `-m statistic --mode random --probability ${kernelProbability(match.probability)}`;
    case 'mark':
      return `-m mark ${negation(match)}--mark ${formatMark(match.value, match.mask)}`;
    case 'conntrack':
      return `-m conntrack ${negation(match)}--ctstate ${match.states.join(',')}`;
    case 'addrtype':
      return `-m addrtype ${negation(match)}--${match.side === 'source' ? 'src' : 'dst'}-type ${match.type}${match.ofInDevice ? ' --limit-iface-in' : ''}`;
    case 'physdev': {
      const device = 'device' in match.test ? ` ${match.test.device}` : '';
      return `-m physdev ${negation(match)}--physdev-${match.test.kind}${device}`;
    }
    case 'recent': {
      const seconds = match.seconds === undefined ? '' : ` --seconds ${match.seconds}`;
      const reap = match.reap ? ' --reap' : '';
      return `-m recent ${negation(match)}--${match.mode}${seconds}${reap} --name ${match.list} --mask ${WHOLE_ADDRESS[family]} --rsource`;
    }
    case 'set':
      return `-m set ${negation(match)}--match-set ${match.set} ${match.sides.join(',')}`;
    case 'nfacct':
      return `-m nfacct --nfacct-name ${match.name}`;
  }
}

/** `-m icmp --icmp-type 3/4` */
function formatIcmpMatch({ kind, icmp: { type, code }, ...match }: IcmpMatch): string {
  const option = kind === 'icmp' ? '--icmp-type' : '--icmpv6-type';
  return `-m ${kind} ${negation(match)}${option} ${type}${code === undefined ? '' : `/${code}`}`;
}

function formatPortMatch(match: PortMatch): string {
  const parts = [`-m ${match.kind}`];
  if (match.source !== undefined) parts.push(`${match.sourceNegated ? '! ' : ''}--sport ${formatRange(match.source)}`);
  if (match.destination !== undefined) {
    parts.push(`${match.destinationNegated ? '! ' : ''}--dport ${formatRange(match.destination)}`);
  }
  if (match.flags !== undefined) {
    const [mask, set] = [tcpFlagsText(match.flags.mask), tcpFlagsText(match.flags.set)];
    parts.push(`${match.flagsNegated ? '! ' : ''}--tcp-flags ${mask} ${set}`);
  }
  return parts.join(' ');
}

export function formatRange(range: PortRange): string {
  return range.first === range.last ? String(range.first) : `${range.first}:${range.last}`;
}

/** The kernel keeps a probability as a 31-bit fraction; iptables-save prints that with eleven decimals. */
export function kernelProbability(probability: number): string {
  return (Math.round(probability * 2 ** 31) / 2 ** 31).toFixed(11);
}

export function formatMark(value: number, mask: number): string {
  return mask === 0xffff_ffff ? `0x${value.toString(16)}` : `0x${value.toString(16)}/0x${mask.toString(16)}`;
}

function quote(text: string): string {
  return /^[\w-]+$/.test(text) ? text : `"${text.replace(/(["\\])/g, '\\$1')}"`;
}

function formatTarget(target: Target): string {
  switch (target.kind) {
    case 'accept':
    case 'drop':
    case 'return':
      return `-j ${target.kind.toUpperCase()}`;
    case 'reject':
      return `-j REJECT --reject-with ${target.with}`;
    case 'dnat':
      return `-j DNAT --to-destination ${target.port === undefined ? formatAddress(target.address) : formatEndpoint(target.address, target.port)}`;
    case 'snat':
      return `-j SNAT --to-source ${formatAddress(target.address)}${target.randomFully ? ' --random-fully' : ''}`;
    case 'masquerade':
      return `-j MASQUERADE${target.randomFully ? ' --random-fully' : ''}`;
    case 'mark':
      return `-j MARK --set-xmark 0x${target.value.toString(16)}/0x${target.mask.toString(16)}`;
    case 'connmark':
      return `-j CONNMARK --set-xmark 0x${target.value.toString(16)}/0x${target.mask.toString(16)}`;
    case 'restore-mark': {
      const mask = `0x${target.mask.toString(16)}`;
      return `-j CONNMARK --restore-mark --nfmask ${mask} --ctmask ${mask}`;
    }
    case 'log': {
      const prefix = target.prefix === '' ? '' : ` --log-prefix ${quote(target.prefix)}`;
      return `-j LOG${prefix}${target.level === DEFAULT_LOG_LEVEL ? '' : ` --log-level ${target.level}`}`;
    }
    case 'jump':
      return `-j ${target.chain}`;
    case 'goto':
      return `-g ${target.chain}`;
  }
}
