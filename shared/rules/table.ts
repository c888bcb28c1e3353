/** Which tables exist, which built-in chains each has, and what a chain is. */
import type { Rule } from './rule.ts';

export type TableName = 'mangle' | 'nat' | 'filter';

export type BuiltInChain = 'PREROUTING' | 'INPUT' | 'FORWARD' | 'OUTPUT' | 'POSTROUTING';

/** In the order in which a hook consults them (kernel priorities -150, -100, 0; source NAT, at 100, comes last too). */
export const TABLE_NAMES: readonly TableName[] = ['mangle', 'nat', 'filter'];

/** In the order in which iptables-save lists them. */
export const BUILT_IN_CHAINS: Readonly<Record<TableName, readonly BuiltInChain[]>> = {
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
};

/** A user chain name has at most 28 characters (XT_EXTENSION_MAXNAMELEN - 1). */
export const MAX_CHAIN_NAME_LENGTH = 28;

export interface Chain {
  readonly name: string;
  /** Who made it; `null` for a built-in chain, which everyone hooks rules into. */
  readonly owner: string | null;
  readonly rules: readonly Rule[];
  /** Of a built-in chain: what becomes of packets that no rule decides; accepted where it is left out. */
  readonly policy?: 'DROP';
}

export interface Table {
  readonly name: TableName;
  /** Built-in chains first, then user chains in the order in which they were made. */
  readonly chains: ReadonlyMap<string, Chain>;
  /** Of all chains. */
  readonly ruleCount: number;
}

export function isTableName(text: string): text is TableName {
  return TABLE_NAMES.some((name) => name === text);
}

export function isBuiltInChain(table: TableName, chain: string): chain is BuiltInChain {
  return BUILT_IN_CHAINS[table].some((name) => name === chain);
}
