/** A transaction as it goes to another process, which knows none of the numbers that stand for IPv6 addresses in this one. */
import { formatAddress } from '../wire/ip-address.ts';
import { isIpv6 } from '../wire/ipv6-table.ts';
import type { PrefixMatch, Rule } from './rule.ts';
import type { Target } from './target.ts';
import type { ForgottenConnections, RulesTransaction, TableChange } from './transaction.ts';

/** What JSON carries: as RulesTransaction, but IPv6 addresses are text. `decodeTransaction` reads it. */
export type RulesMessage = Readonly<Record<string, unknown>>;

export function encodeTransaction(transaction: RulesTransaction): RulesMessage {
  const { family = 'ipv4', tables, forget } = transaction;
  if (family === 'ipv4') return { ...transaction };
  const changes = Object.entries(tables).map(([name, change]) => [name, encodeChange(change)]);
  return { ...transaction, tables: Object.fromEntries(changes), forget: forget?.map(encodeForget) };
}

function encodeChange({ set, delete: gone, hooks }: TableChange): object {
  const chains = Object.entries(set ?? {}).map(([name, rules]) => [name, rules.map(encodeRule)]);
  return {
    set: set === undefined ? undefined : Object.fromEntries(chains),
    delete: gone,
    hooks: hooks?.map((hook) => ({ ...hook, rule: encodeRule(hook.rule) })),
  };
}

function encodeRule(rule: Rule): object {
  const { source, destination, target } = rule;
  return {
    ...rule,
    source: source === undefined ? undefined : encodePrefix(source),
    destination: destination === undefined ? undefined : encodePrefix(destination),
    target: target === undefined ? undefined : encodeTarget(target),
  };
}

function encodePrefix(prefix: PrefixMatch): object {
  return { ...prefix, address: encodeAddress(prefix.address) };
}

function encodeTarget(target: Target): object {
  return 'address' in target ? { ...target, address: encodeAddress(target.address) } : target;
}

function encodeForget({ originalDestination, replySource, ...rest }: ForgottenConnections): object {
  return {
    ...rest,
    originalDestination: originalDestination === undefined ? undefined : encodeAddress(originalDestination),
    replySource: replySource === undefined ? undefined : encodeAddress(replySource),
  };
}

function encodeAddress(address: number): number | string {
  return isIpv6(address) ? formatAddress(address) : address;
}
