/** A transaction as it goes to another process, which knows none of the numbers that stand for IPv6 addresses in this one. */
import { formatAddress } from '../wire/ip-address.ts';
import { isIpv6 } from '../wire/ipv6-table.ts';
import type { RulesTransaction } from './transaction.ts';

/** What JSON carries: as RulesTransaction, but IPv6 addresses are text. `decodeTransaction` reads it. */
export type RulesMessage = Readonly<Record<string, unknown>>;

/** The fields that hold an address, wherever in a transaction they stand. */
const ADDRESS_FIELDS: ReadonlySet<string> = new Set(['address', 'originalDestination', 'replySource']);

export function encodeTransaction(transaction: RulesTransaction): RulesMessage {
  return (transaction.family ?? 'ipv4') === 'ipv4' ? { ...transaction } : encodeFields(transaction);
}

function encodeFields(object: object): RulesMessage {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, encodeField(name, value)]));
}

function encodeField(name: string, value: unknown): unknown {
  if (typeof value === 'number') return ADDRESS_FIELDS.has(name) && isIpv6(value) ? formatAddress(value) : value;
  if (Array.isArray(value)) return value.map((item) => encodeField('', item));
  return typeof value === 'object' && value !== null ? encodeFields(value) : value;
}
