/** `ip rule`: the three rules that every namespace has, and those of its policy. */
import type { Host } from '../../../shared/netstack/host.ts';
import { MAIN_TABLE, type RoutingRule } from '../../../shared/netstack/routing-policy.ts';
import { addressBits, formatAddress, formatPrefix, type IpPrefix } from '../../../shared/wire/ip-address.ts';

export interface RoutingRuleRow {
  readonly priority: number;
  readonly src: string;
  readonly srclen?: number;
  readonly dst?: string;
  readonly dstlen?: number;
  readonly fwmark?: string;
  readonly fwmask?: string;
  /** A number, or the name of one that has one. */
  readonly table: string;
}

const FIRST: RoutingRuleRow = { priority: 0, src: 'all', table: 'local' };
const LAST: readonly RoutingRuleRow[] = [
  { priority: 32_766, src: 'all', table: 'main' },
  { priority: 32_767, src: 'all', table: 'default' },
];

export function routingRuleRows(host: Host): RoutingRuleRow[] {
  return [FIRST, ...(host.routingPolicy?.rules ?? []).map(ruleRow), ...LAST];
}

function ruleRow({ priority, from, to, mark, table }: RoutingRule): RoutingRuleRow {
  const source = prefixFields(from);
  const destination = prefixFields(to);
  const hex = (bits: number): string => `0x${bits.toString(16)}`;
  return {
    priority,
    src: source?.address ?? 'all',
    srclen: source?.length,
    dst: destination?.address,
    dstlen: destination?.length,
    fwmark: mark && hex(mark.value),
    fwmask: mark && hex(mark.mask),
    table: table === MAIN_TABLE ? 'main' : String(table),
  };
}

/** The length of a single address is not said. */
function prefixFields(
  prefix: IpPrefix | undefined,
): { readonly address: string; readonly length?: number } | undefined {
  if (prefix === undefined) return undefined;
  const whole = prefix.prefixLength === addressBits(prefix.address);
  return { address: formatAddress(prefix.address), ...(whole ? {} : { length: prefix.prefixLength }) };
}

export function formatRoutingRules(host: Host): string {
  const rules = host.routingPolicy?.rules ?? [];
  const lines = [formatRow(FIRST), ...rules.map(formatRule), ...LAST.map(formatRow)];
  return lines.map((line) => `${line}\n`).join('');
}

function formatRow({ priority, table }: RoutingRuleRow): string {
  return `${priority}:\tfrom all lookup ${table}`;
}

function formatRule({ priority, from, to, mark, table }: RoutingRule): string {
  const parts = [`${priority}:\tfrom ${from === undefined ? 'all' : prefixText(from)}`];
  if (to !== undefined) parts.push(`to ${prefixText(to)}`);
  if (mark !== undefined) parts.push(`fwmark 0x${mark.value.toString(16)}/0x${mark.mask.toString(16)}`);
  parts.push(`lookup ${table === MAIN_TABLE ? 'main' : table}`);
  return parts.join(' ');
}

function prefixText(prefix: IpPrefix): string {
  return prefix.prefixLength === addressBits(prefix.address) ? formatAddress(prefix.address) : formatPrefix(prefix);
}
