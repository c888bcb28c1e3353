/**
 * What an administrator does to a ruleset with `iptables`, past the owners of its chains: they notice it as they would in life, when
 * they next write a chain whole or make sure of all that is theirs.
 */
import { checkRule } from './check-rule.ts';
import type { Rule } from './rule.ts';
import { type ChainChanges, calledChain, MAX_CHAINS, MAX_RULES, type Ruleset, sameRule } from './ruleset.ts';
import { type Chain, isBuiltInChain, MAX_CHAIN_NAME_LENGTH, type TableName } from './table.ts';

/** Who has the chains that an administrator made. */
export const ADMINISTRATOR = 'administrator';

/** `at` counts from 1. */
export type RuleEdit =
  | { readonly kind: 'append'; readonly chain: string; readonly rule: Rule }
  | { readonly kind: 'insert'; readonly chain: string; readonly at: number; readonly rule: Rule }
  | { readonly kind: 'replace'; readonly chain: string; readonly at: number; readonly rule: Rule }
  | { readonly kind: 'delete'; readonly chain: string; readonly rule: Rule | number }
  /** All chains, or one. */
  | { readonly kind: 'flush'; readonly chain: string | undefined }
  | { readonly kind: 'policy'; readonly chain: string; readonly policy: 'ACCEPT' | 'DROP' }
  | { readonly kind: 'new-chain'; readonly chain: string }
  /** All that are nobody's target, or one. */
  | { readonly kind: 'delete-chain'; readonly chain: string | undefined };

export type EditRefusal =
  | 'no-chain'
  | 'chain-exists'
  | 'bad-chain-name'
  | 'no-rule'
  | 'insertion-too-far'
  | 'deletion-too-far'
  | 'replacement-too-far'
  | 'busy'
  | 'no-target'
  | 'invalid'
  | 'full';

export type Edited =
  | { readonly ruleset: Ruleset; readonly changes: ChainChanges }
  /** `chain` is the one that the refusal is about. */
  | { readonly refusal: EditRefusal; readonly chain: string };

type Chains = Map<string, Chain>;

class Refused extends Error {
  readonly refusal: EditRefusal;
  readonly chain: string;

  constructor(refusal: EditRefusal, chain: string) {
    super(refusal);
    this.refusal = refusal;
    this.chain = chain;
  }
}

/** The ruleset after an edit, or why there is none. */
export function editRules(ruleset: Ruleset, table: TableName, edit: RuleEdit): Edited {
  const before = ruleset.tables[table];
  const chains: Chains = new Map(before.chains);
  try {
    apply(chains, table, edit);
  } catch (error) {
    if (error instanceof Refused) return { refusal: error.refusal, chain: error.chain };
    throw error;
  }
  let ruleCount = 0;
  for (const { rules } of chains.values()) ruleCount += rules.length;
  if (chains.size > MAX_CHAINS || ruleCount > MAX_RULES) return { refusal: 'full', chain: edit.chain ?? '' };
  const changed = [...chains.values()].filter((chain) => chain !== before.chains.get(chain.name));
  return {
    ruleset: { ...ruleset, tables: { ...ruleset.tables, [table]: { name: table, chains, ruleCount } } },
    changes: {
      changed: changed.map(({ name }) => name),
      gone: [...before.chains.keys()].filter((name) => !chains.has(name)),
    },
  };
}

function apply(chains: Chains, table: TableName, edit: RuleEdit): void {
  switch (edit.kind) {
    case 'append':
    case 'insert':
    case 'replace':
      place(chains, table, edit);
      return;
    case 'delete':
      deleteRule(chains, edit.chain, edit.rule);
      return;
    case 'flush':
      for (const name of edit.chain === undefined ? [...chains.keys()] : [edit.chain]) {
        setRules(chains, chainOf(chains, name), []);
      }
      return;
    case 'policy':
      setPolicy(chains, table, edit.chain, edit.policy);
      return;
    case 'new-chain':
      newChain(chains, edit.chain);
      return;
    case 'delete-chain':
      for (const name of edit.chain === undefined ? userChains(chains, table) : [edit.chain]) {
        deleteChain(chains, table, name);
      }
      return;
  }
}

type Placement = Extract<RuleEdit, { kind: 'append' | 'insert' | 'replace' }>;

function place(chains: Chains, table: TableName, edit: Placement): void {
  const chain = chainOf(chains, edit.chain);
  checkTarget(chains, table, edit);
  const rules = [...chain.rules];
  if (edit.kind === 'append') rules.push(edit.rule);
  else if (edit.kind === 'insert') {
    if (edit.at < 1 || edit.at > rules.length + 1) throw new Refused('insertion-too-far', edit.chain);
    rules.splice(edit.at - 1, 0, edit.rule);
  } else {
    if (edit.at < 1 || edit.at > rules.length) throw new Refused('replacement-too-far', edit.chain);
    rules[edit.at - 1] = edit.rule;
  }
  setRules(chains, chain, rules);
}

function checkTarget(chains: Chains, table: TableName, { chain, rule }: Placement): void {
  const called = calledChain(rule);
  if (called !== undefined) {
    if (!chains.has(called) || isBuiltInChain(table, called)) throw new Refused('no-target', called);
    if (leadsTo(chains, called, chain)) throw new Refused('invalid', chain);
  }
  if (checkRule(table, rule).length > 0) throw new Refused('invalid', chain);
}

/** Whether `from` is `to`, or jumps there by any way. */
function leadsTo(chains: Chains, from: string, to: string, seen = new Set<string>()): boolean {
  if (from === to) return true;
  if (seen.has(from)) return false;
  seen.add(from);
  return (chains.get(from)?.rules ?? []).some((rule) => {
    const next = calledChain(rule);
    return next !== undefined && leadsTo(chains, next, to, seen);
  });
}

function deleteRule(chains: Chains, name: string, wanted: Rule | number): void {
  const chain = chainOf(chains, name);
  const index = typeof wanted === 'number' ? wanted - 1 : chain.rules.findIndex((rule) => sameRule(rule, wanted));
  if (index < 0 || index >= chain.rules.length) {
    throw new Refused(typeof wanted === 'number' ? 'deletion-too-far' : 'no-rule', name);
  }
  setRules(chains, chain, [...chain.rules.slice(0, index), ...chain.rules.slice(index + 1)]);
}

function setPolicy(chains: Chains, table: TableName, name: string, policy: 'ACCEPT' | 'DROP'): void {
  const { policy: _before, ...chain } = chainOf(chains, name);
  if (!isBuiltInChain(table, name) || (table === 'nat' && policy === 'DROP')) throw new Refused('invalid', name);
  chains.set(name, policy === 'DROP' ? { ...chain, policy } : chain);
}

function newChain(chains: Chains, name: string): void {
  if (chains.has(name)) throw new Refused('chain-exists', name);
  if (!/^[^\s!-][^\s]*$/.test(name) || name.length > MAX_CHAIN_NAME_LENGTH) throw new Refused('bad-chain-name', name);
  chains.set(name, { name, owner: ADMINISTRATOR, rules: [] });
}

function deleteChain(chains: Chains, table: TableName, name: string): void {
  const chain = chainOf(chains, name);
  const isCalled = [...chains.values()].some(({ rules }) => rules.some((rule) => calledChain(rule) === name));
  if (isBuiltInChain(table, name) || isCalled || chain.rules.length > 0) throw new Refused('busy', name);
  chains.delete(name);
}

function userChains(chains: Chains, table: TableName): string[] {
  return [...chains.keys()].filter((name) => !isBuiltInChain(table, name));
}

function chainOf(chains: Chains, name: string): Chain {
  const chain = chains.get(name);
  if (chain === undefined) throw new Refused('no-chain', name);
  return chain;
}

function setRules(chains: Chains, chain: Chain, rules: readonly Rule[]): void {
  if (rules.length > 0 || chain.rules.length > 0) chains.set(chain.name, { ...chain, rules });
}
