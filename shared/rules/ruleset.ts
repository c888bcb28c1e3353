/**
 * All tables of one node, and how a transaction changes them. A ruleset is a value: a change gives a new one, which
 * shares the chains that stayed the same (the datapath recompiles only the others and keeps their counters).
 */
import { checkRule } from './check-rule.ts';
import type { Rule } from './rule.ts';
import {
  BUILT_IN_CHAINS,
  type Chain,
  isBuiltInChain,
  MAX_CHAIN_NAME_LENGTH,
  TABLE_NAMES,
  type Table,
  type TableName,
} from './table.ts';
import type { HookRule, RuleProblem, RulesReply, RulesTransaction, TableChange } from './transaction.ts';

/** Chains of one table; beyond it a transaction is refused. */
export const MAX_CHAINS = 65_536;
/** Rules of one table. */
export const MAX_RULES = 262_144;

interface OwnerState {
  readonly generation: number;
  readonly hooks: Readonly<Record<TableName, readonly HookRule[]>>;
}

export interface Ruleset {
  /** A new one for every boot of the node. */
  readonly bootId: string;
  readonly tables: Readonly<Record<TableName, Table>>;
  readonly owners: ReadonlyMap<string, OwnerState>;
}

export function emptyRuleset(bootId: string): Ruleset {
  const table = (name: TableName): Table => ({
    name,
    chains: new Map(BUILT_IN_CHAINS[name].map((chain) => [chain, { name: chain, owner: null, rules: [] }])),
    ruleCount: 0,
  });
  return {
    bootId,
    tables: { mangle: table('mangle'), nat: table('nat'), filter: table('filter') },
    owners: new Map(),
  };
}

/** Names of chains that are new or other than before, and of those that are gone. */
export interface ChainChanges {
  readonly changed: readonly string[];
  readonly gone: readonly string[];
}

export interface Applied {
  readonly ruleset: Ruleset;
  readonly reply: RulesReply;
  /** What the ruleset has other than the one before. */
  readonly changes: Readonly<Record<TableName, ChainChanges>>;
}

const NO_CHANGES: ChainChanges = { changed: [], gone: [] };
const NOTHING_CHANGED: Applied['changes'] = { mangle: NO_CHANGES, nat: NO_CHANGES, filter: NO_CHANGES };

/** The ruleset after a transaction; the same one when the reply is not `applied`. */
export function applyTransaction(ruleset: Ruleset, transaction: RulesTransaction): Applied {
  const { bootId } = ruleset;
  const stale = staleness(ruleset, transaction);
  if (stale !== undefined) {
    return { ruleset, reply: { kind: 'resync', bootId, reason: stale }, changes: NOTHING_CHANGED };
  }

  const before = ruleset.owners.get(transaction.owner);
  const hooks = { ...(transaction.base === null || before === undefined ? noHooks : before.hooks) };
  const generation = (before?.generation ?? 0) + 1;
  const owners = new Map(ruleset.owners).set(transaction.owner, { generation, hooks });
  const tables = { ...ruleset.tables };
  const changes = { ...NOTHING_CHANGED };
  const problems: RuleProblem[] = [];
  for (const name of TABLE_NAMES) {
    const change = transaction.tables[name] ?? {};
    if (change.hooks !== undefined) hooks[name] = change.hooks;
    const result = changeTable(ruleset, name, transaction, change, owners, problems);
    tables[name] = result.table;
    changes[name] = result.changes;
  }
  if (problems.length > 0) {
    return { ruleset, reply: { kind: 'invalid', bootId, problems }, changes: NOTHING_CHANGED };
  }
  return { ruleset: { bootId, tables, owners }, reply: { kind: 'applied', bootId, generation }, changes };
}

const noHooks: OwnerState['hooks'] = { mangle: [], nat: [], filter: [] };

function staleness(ruleset: Ruleset, transaction: RulesTransaction): string | undefined {
  if (transaction.base === null) return undefined;
  if (transaction.bootId !== ruleset.bootId) {
    return `the node is on boot ${ruleset.bootId}, the transaction builds on boot ${transaction.bootId}`;
  }
  const generation = ruleset.owners.get(transaction.owner)?.generation ?? 0;
  if (transaction.base !== generation) {
    return `${transaction.owner} is at generation ${generation}, the transaction builds on ${transaction.base}`;
  }
  return undefined;
}

function changeTable(
  { tables, owners: ownersBefore }: Ruleset,
  name: TableName,
  transaction: RulesTransaction,
  change: TableChange,
  owners: ReadonlyMap<string, OwnerState>,
  problems: RuleProblem[],
): { readonly table: Table; readonly changes: ChainChanges } {
  const table = tables[name];
  const { owner } = transaction;
  const whole = transaction.base === null;
  if (!whole && change.set === undefined && change.delete === undefined && change.hooks === undefined) {
    return { table, changes: NO_CHANGES };
  }
  const chains = new Map(table.chains);
  for (const builtIn of BUILT_IN_CHAINS[name]) {
    const present = table.chains.get(builtIn)!;
    const before = hookedRules(name, builtIn, ownersBefore);
    const hooks = whole ? ownHooks(name, builtIn, owners.get(owner)) : [];
    chains.set(
      builtIn,
      keepIfEqual(present, null, rehook(present.rules, before, hookedRules(name, builtIn, owners), hooks)),
    );
  }
  for (const dropped of change.delete ?? []) {
    const chain = table.chains.get(dropped);
    if (chain === undefined || chain.owner === null) continue;
    if (chain.owner === owner) chains.delete(dropped);
    else problems.push(foreign(name, chain));
  }
  if (whole) {
    for (const chain of table.chains.values()) {
      if (chain.owner === owner && change.set?.[chain.name] === undefined) chains.delete(chain.name);
    }
  }
  for (const [chainName, rules] of Object.entries(change.set ?? {})) {
    const present = table.chains.get(chainName);
    if (isBuiltInChain(name, chainName)) {
      problems.push({ where: `${name} ${chainName}`, message: 'is a built-in chain: add rules to it as hooks' });
    } else if (present !== undefined && present.owner !== owner) {
      problems.push(foreign(name, present));
    } else {
      chains.set(chainName, keepIfEqual(present, owner, rules, chainName));
    }
  }
  const changes = changesBetween(table.chains, chains, transaction, change);
  return { table: { name, chains, ruleCount: checkTable(table, chains, changes, problems) }, changes };
}

/** Of a transaction that builds on the present state only what it names can have changed, and what it hooks into. */
function changesBetween(
  before: ReadonlyMap<string, Chain>,
  after: ReadonlyMap<string, Chain>,
  { base }: RulesTransaction,
  change: TableChange,
): ChainChanges {
  const named = new Set([...Object.keys(change.set ?? {}), ...(change.delete ?? [])]);
  const candidates = base === null ? new Set([...before.keys(), ...after.keys()]) : named;
  if (base !== null)
    for (const [name, { owner }] of after)
      if (owner === null) candidates.add(name);
      else break;
  const changed: string[] = [];
  const gone: string[] = [];
  for (const name of candidates) {
    const chain = after.get(name);
    if (chain === before.get(name)) continue;
    (chain === undefined ? gone : changed).push(name);
  }
  return { changed, gone };
}

/** An unchanged chain stays the same object, so that its compiled form and its counters stay too. */
function keepIfEqual(
  present: Chain | undefined,
  owner: string | null,
  rules: readonly Rule[],
  name: string = present?.name ?? '',
): Chain {
  if (present !== undefined && present.owner === owner && sameRules(present.rules, rules)) return present;
  return { name, owner, rules, ...(present?.policy === undefined ? {} : { policy: present.policy }) };
}

function sameRules(a: readonly Rule[], b: readonly Rule[]): boolean {
  return a.length === b.length && a.every((rule, i) => sameRule(rule, b[i]));
}

export function sameRule(a: Rule, b: Rule | undefined): boolean {
  return a === b || sameValue(a, b);
}

/** Structural equality of plain data; a field that is absent equals one that is undefined. */
function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const left = a as Record<string, unknown>; // rules are plain data
  const right = b as Record<string, unknown>;
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    if (!sameValue(left[key], right[key])) return false;
  }
  return true;
}

/**
 * A built-in chain after its owners' hooks changed. One that an administrator edited keeps the edits: what owners took back goes, what
 * they added comes first or last; and who sends everything (`ensured`) gets back what was deleted.
 */
function rehook(
  present: readonly Rule[],
  before: readonly Rule[],
  after: readonly Rule[],
  ensured: readonly HookRule[],
): readonly Rule[] {
  if (sameRules(present, before)) return after;
  const isIn = (rules: readonly Rule[], rule: Rule) => rules.some((other) => sameRule(other, rule));
  const rules = [...present];
  for (const rule of before) {
    const index = isIn(after, rule) ? -1 : rules.findIndex((other) => sameRule(other, rule));
    if (index >= 0) rules.splice(index, 1);
  }
  const missing = ensured.filter(({ rule }) => !isIn(rules, rule));
  const added = after.filter(
    (rule) => !isIn(before, rule) && !isIn(rules, rule) && !ensured.some((hook) => hook.rule === rule),
  );
  const placed = (position: HookRule['position']) =>
    missing.filter((hook) => hook.position === position).map(({ rule }) => rule);
  return [...placed('first'), ...rules, ...added, ...placed('last')];
}

function ownHooks(table: TableName, chain: string, owner: OwnerState | undefined): HookRule[] {
  return owner?.hooks[table].filter((hook) => hook.chain === chain) ?? [];
}

function hookedRules(table: TableName, chain: string, owners: ReadonlyMap<string, OwnerState>): readonly Rule[] {
  const first: Rule[] = [];
  const last: Rule[] = [];
  for (const { hooks } of owners.values()) {
    for (const hook of hooks[table]) {
      if (hook.chain === chain) (hook.position === 'first' ? first : last).push(hook.rule);
    }
  }
  return [...first, ...last];
}

function foreign(table: TableName, chain: Chain): RuleProblem {
  return { where: `${table} ${chain.name}`, message: `belongs to ${chain.owner}, who alone may change it` };
}

/** Checks the chains that changed, and that every jump leads somewhere and none leads in a circle. How many rules there are. */
function checkTable(
  { name: table, chains: before, ruleCount: countBefore }: Table,
  chains: ReadonlyMap<string, Chain>,
  { changed, gone }: ChainChanges,
  problems: RuleProblem[],
): number {
  let ruleCount = countBefore;
  for (const name of gone) ruleCount -= before.get(name)?.rules.length ?? 0;
  for (const name of changed) {
    const chain = chains.get(name)!;
    ruleCount += chain.rules.length - (before.get(name)?.rules.length ?? 0);
    checkChain(table, chain, problems);
    checkJumps(table, chain, chains, problems);
  }
  // What an unchanged chain jumps to was there; it can only have been deleted.
  if (gone.length > 0) {
    const lost = new Set(gone);
    for (const chain of chains.values()) {
      if (chain === before.get(chain.name) && leadsTo(chain, lost)) checkJumps(table, chain, chains, problems);
    }
  }
  if (chains.size > MAX_CHAINS) problems.push({ where: table, message: `has more than ${MAX_CHAINS} chains` });
  if (ruleCount > MAX_RULES) problems.push({ where: table, message: `has more than ${MAX_RULES} rules` });
  if (problems.length === 0) checkLoops(table, chains, changed, problems);
  return ruleCount;
}

/** One look at every rule of the table when a chain goes: no closures. */
function leadsTo({ rules }: Chain, lost: ReadonlySet<string>): boolean {
  for (let i = 0; i < rules.length; i++) {
    const next = calledChain(rules[i]!);
    if (next !== undefined && lost.has(next)) return true;
  }
  return false;
}

function checkChain(table: TableName, chain: Chain, problems: RuleProblem[]): void {
  if (!/^[!-~]+$/.test(chain.name) || chain.name.length > MAX_CHAIN_NAME_LENGTH || chain.name.startsWith('-')) {
    problems.push({
      where: `${table} ${chain.name}`,
      message: `a chain name has 1 to ${MAX_CHAIN_NAME_LENGTH} printable characters without spaces`,
    });
  }
  chain.rules.forEach((rule, i) => {
    for (const message of checkRule(table, rule)) {
      problems.push({ where: `${table} ${chain.name} rule ${i + 1}`, message });
    }
  });
}

function checkJumps(table: TableName, chain: Chain, chains: ReadonlyMap<string, Chain>, problems: RuleProblem[]): void {
  chain.rules.forEach((rule, i) => {
    const next = calledChain(rule);
    if (next === undefined) return;
    if (chains.get(next)?.owner == null) {
      const message = chains.has(next)
        ? `cannot jump to the built-in chain ${next}`
        : `jumps to chain ${next}, which does not exist: set it in the same transaction`;
      problems.push({ where: `${table} ${chain.name} rule ${i + 1}`, message });
    }
  });
}

/** A circle that was not there before leads through a chain that changed. */
function checkLoops(
  table: TableName,
  chains: ReadonlyMap<string, Chain>,
  changed: readonly string[],
  problems: RuleProblem[],
): void {
  const done = new Set<string>();
  const open = new Set<string>();
  const visit = (name: string): boolean => {
    if (open.has(name)) return false;
    if (done.has(name)) return true;
    open.add(name);
    for (const rule of chains.get(name)?.rules ?? []) {
      const next = calledChain(rule);
      if (next !== undefined && !visit(next)) return false;
    }
    open.delete(name);
    done.add(name);
    return true;
  };
  for (const name of changed) {
    if (!visit(name)) {
      problems.push({ where: `${table} ${name}`, message: `jumps in a circle through ${[...open].join(' -> ')}` });
      return;
    }
  }
}

export function calledChain(rule: Rule): string | undefined {
  return rule.target?.kind === 'jump' || rule.target?.kind === 'goto' ? rule.target.chain : undefined;
}
