/** nftables' table as `nft list ruleset` prints it. */
import {
  addressBits,
  formatAddress,
  formatEndpoint,
  formatPrefix,
  type IpFamily,
  type IpPrefix,
  networkOf,
} from '../wire/ip-address.ts';
import type {
  NftChain,
  NftElement,
  NftHook,
  NftKeyPart,
  NftMatch,
  NftRule,
  NftSet,
  NftStatement,
  NftVerdict,
} from './nft.ts';

/** An element as it stands in the kernel; one that packets added has the seconds it still lives. */
export interface ListedElement extends NftElement {
  readonly expiresSeconds?: number;
}

/** A family as nft names it. */
export type NftFamily = 'ip' | 'ip6';

export const NFT_FAMILIES: Readonly<Record<IpFamily, NftFamily>> = { ipv4: 'ip', ipv6: 'ip6' };

export interface ListedTable {
  readonly family: NftFamily;
  readonly name: string;
  readonly comment: string;
  readonly sets: ReadonlyMap<string, { readonly set: NftSet; readonly elements: readonly ListedElement[] }>;
  readonly chains: ReadonlyMap<string, NftChain>;
}

export function formatNftTable({ family, name, comment, sets, chains }: ListedTable): string {
  const blocks = [
    ...[...sets].map(([setName, { set, elements }]) => formatSet(setName, set, elements)),
    ...[...chains].map(([chainName, chain]) => formatChain(chainName, chain, family)),
  ];
  return `table ${family} ${name} {\n\tcomment "${comment}"\n\n${blocks.join('\n\n')}\n}\n`;
}

function formatSet(name: string, set: NftSet, elements: readonly ListedElement[]): string {
  const verdicts = set.kind === 'map' ? ' : verdict' : '';
  const lines = [`\t${set.kind} ${name} {`, `\t\ttype ${set.type.join(' . ')}${verdicts}`];
  if (set.timeoutSeconds !== undefined) {
    lines.push('\t\tsize 65535', '\t\tflags dynamic,timeout', `\t\ttimeout ${formatSeconds(set.timeoutSeconds)}`);
  }
  if (set.comment !== undefined) lines.push(`\t\tcomment "${set.comment}"`);
  if (elements.length > 0) {
    lines.push(`\t\telements = { ${wrapped(set, elements)} }`);
  }
  return [...lines, '\t}'].join('\n');
}

/** Plain addresses stand two in a line, everything else one. */
function wrapped(set: NftSet, elements: readonly ListedElement[]): string {
  const perLine = set.type.length === 1 && set.timeoutSeconds === undefined ? 2 : 1;
  const texts = elements.map((one) => formatElement(set.type, one));
  const lines: string[] = [];
  for (let i = 0; i < texts.length; i += perLine) lines.push(texts.slice(i, i + perLine).join(', '));
  return lines.join(',\n\t\t\t     ');
}

function formatElement(type: readonly NftKeyPart[], element: ListedElement): string {
  const key = type.map((part) => formatPart(part, element)).join(' . ');
  const expires = element.expiresSeconds === undefined ? '' : ` expires ${formatSeconds(element.expiresSeconds)}`;
  const comment = element.comment === undefined ? '' : ` comment "${element.comment}"`;
  const verdict = element.verdict === undefined ? '' : ` : ${formatVerdict(element.verdict)}`;
  return key + expires + comment + verdict;
}

function formatPart(part: NftKeyPart, { address = 0, protocol = 'tcp', port = 0 }: NftElement): string {
  if (part === 'ipv4_addr' || part === 'ipv6_addr') return formatAddress(address);
  return part === 'inet_proto' ? protocol : String(port);
}

/** `3h`, `1h30m`, `10m`. */
function formatSeconds(total: number): string {
  const seconds = Math.max(0, Math.floor(total));
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const;
  return parts.map(([amount, unit]) => (amount === 0 ? '' : `${amount}${unit}`)).join('') || '0s';
}

function formatVerdict(verdict: NftVerdict): string {
  return verdict.kind === 'jump' || verdict.kind === 'goto' ? `${verdict.kind} ${verdict.chain}` : verdict.kind;
}

function formatChain(name: string, { hook, rules }: NftChain, family: NftFamily): string {
  const head = hook === undefined ? [] : [`\t\ttype ${formatHook(hook)}; policy accept;`];
  return [`\tchain ${name} {`, ...head, ...rules.map((rule) => `\t\t${formatNftRule(rule, family)}`), '\t}'].join('\n');
}

/** The standard priority of a hook for NAT has a name there (libnftables); others are numbers, or distances to `filter`. */
function formatHook({ type, hook, priority }: NftHook): string {
  return `${type} hook ${hook} priority ${formatPriority(hook, priority)}`;
}

/** How far from a named priority nft still names it. */
const NEAR = 10;

function formatPriority(hook: NftHook['hook'], priority: number): string {
  const named = [
    ...(hook === 'prerouting' ? [['dstnat', -100] as const] : []),
    ...(hook === 'postrouting' ? [['srcnat', 100] as const] : []),
    ['filter', 0] as const,
  ];
  for (const [name, at] of named) {
    const offset = priority - at;
    if (offset === 0) return name;
    if (Math.abs(offset) <= NEAR) return `${name} ${offset < 0 ? '-' : '+'} ${Math.abs(offset)}`;
  }
  return String(priority);
}

/** One rule without its chain: `ip daddr . meta l4proto . th dport vmap @service-ips`. */
export function formatNftRule({ matches = [], statement, comment }: NftRule, family: NftFamily): string {
  const parts = [...matches.map((match) => formatMatch(match, family)), formatStatement(statement, family)];
  if (comment !== undefined) parts.push(`comment "${comment}"`);
  return parts.join(' ');
}

function formatMatch(match: NftMatch, family: NftFamily): string {
  switch (match.kind) {
    case 'address': {
      const [only] = match.prefixes;
      const prefixes = match.prefixes.map(shownPrefix);
      const operator = match.negated ? '!= ' : '';
      const text = prefixes.length === 1 && only !== undefined ? prefixes[0] : `{ ${prefixes.join(', ')} }`;
      return `${addressField(match.side, family)} ${operator}${text}`;
    }
    case 'in-set':
      return `${addressField(match.side, family)} @${match.set}`;
    case 'protocol':
      return `meta l4proto ${match.protocol}`;
    case 'port':
      return `${match.protocol} dport ${match.port}`;
    case 'new':
      return 'ct state new';
    case 'unmarked':
      return `meta mark & ${hex(match.bits)} == 0x00000000`;
    case 'local':
      return `fib ${match.side === 'source' ? 'saddr' : 'daddr'} type local`;
  }
}

/** A whole address stands without its length. */
function shownPrefix({ address, prefixLength }: IpPrefix): string {
  if (prefixLength === addressBits(address)) return formatAddress(address);
  return formatPrefix({ address: networkOf(address, prefixLength), prefixLength });
}

function addressField(side: 'source' | 'destination', family: NftFamily): string {
  return `${family} ${side === 'source' ? 'saddr' : 'daddr'}`;
}

function formatStatement(statement: NftStatement, family: NftFamily): string {
  switch (statement.kind) {
    case 'reject':
      return 'reject';
    case 'vmap': {
      const address = statement.key === 'port' ? '' : `${family} daddr . `;
      return `${address}meta l4proto . th dport vmap @${statement.map}`;
    }
    case 'numgen': {
      const choices = statement.chains.map((chain, index) => `${index} : goto ${chain}`);
      return `numgen random mod ${choices.length} vmap { ${choices.join(', ')} }`;
    }
    case 'dnat':
      return `dnat to ${formatEndpoint(statement.address, statement.port)}`;
    case 'masquerade':
      return 'masquerade fully-random';
    case 'mark':
      return `meta mark set meta mark ${statement.operation} ${hex(statement.bits)}`;
    case 'update':
      return `update @${statement.set} { ${family} saddr }`;
    default:
      return formatVerdict(statement);
  }
}

function hex(bits: number): string {
  return `0x${bits.toString(16).padStart(8, '0')}`;
}
