/** `iptables -A|-I|-R|-D|-C|-F|-Z|-N|-X|-P`: an administrator's changes, with iptables 1.8's answers (its nf_tables variant). */
import { parseRule } from '../../shared/rules/parse-rule.ts';
import type { Rule } from '../../shared/rules/rule.ts';
import type { EditRefusal, RuleEdit } from '../../shared/rules/rule-edit.ts';
import { RuleSyntaxError } from '../../shared/rules/rule-words.ts';
import { sameRule } from '../../shared/rules/ruleset.ts';
import { isTableName, type TableName } from '../../shared/rules/table.ts';
import type { IpFamily } from '../../shared/wire/ip-address.ts';
import type { RuleTables } from '../datapath/rule-tables.ts';
import { type CommandOutput, failed, printed } from './command-output.ts';

export const IPTABLES_VERSION = 'v1.8.9 (nf_tables)';

const COMMANDS: Readonly<Record<string, string>> = {
  '--append': '-A',
  '--insert': '-I',
  '--replace': '-R',
  '--delete': '-D',
  '--check': '-C',
  '--flush': '-F',
  '--zero': '-Z',
  '--new-chain': '-N',
  '--new': '-N',
  '--delete-chain': '-X',
  '--policy': '-P',
  '--rename-chain': '-E',
};
const LETTERS = new Set(Object.values(COMMANDS));
/** They take a chain where one follows, and else mean all. */
const CHAIN_IS_OPTIONAL = new Set(['-F', '-Z', '-X']);
const NO_SUCH = 'No chain/target/match by that name.';

class ChangeError extends Error {
  readonly code: number;

  constructor(message: string, code: number) {
    super(message);
    this.code = code;
  }
}

interface Change {
  /** `-A`, `-I`, ... */
  readonly command: string;
  readonly table: TableName;
  readonly chain: string | undefined;
  /** Counted from 1; of `-I`, `-R` and `-D`. */
  readonly number: number | undefined;
  /** The specification of the rule, or the policy. */
  readonly rest: readonly string[];
}

/** Whether the words ask for a change at all. */
export function isChange(words: readonly string[]): boolean {
  return words.some((word) => LETTERS.has(COMMANDS[word] ?? word));
}

export function changeRules(
  tables: RuleTables,
  words: readonly string[],
  family: IpFamily,
  name: string,
): CommandOutput {
  try {
    const change = readChange(words, name);
    if (change.command === '-C') return check(tables, change, family, name);
    if (change.command === '-Z') return zero(tables, change, name);
    const edit = editOf(tables, change, family);
    const refusal = tables.edit(change.table, edit);
    return refusal === null ? printed('') : refused(refusal, edit, name);
  } catch (error) {
    if (error instanceof ChangeError) return failed(error.message, error.code);
    if (error instanceof RuleSyntaxError) return failed(withHint(error.message, name), 2);
    throw error;
  }
}

function withHint(message: string, name: string): string {
  return `${name} ${IPTABLES_VERSION}: ${message}\nTry \`${name} -h' or '${name} --help' for more information.`;
}

/** The command's words are taken out; what stays is the rule. */
function readChange(given: readonly string[], name: string): Change {
  const rest: string[] = [];
  let table = 'filter';
  let command: string | undefined;
  let chain: string | undefined;
  let number: number | undefined;
  for (let at = 0; at < given.length; at++) {
    const word = given[at]!;
    const letter = COMMANDS[word] ?? word;
    if (word === '-t' || word === '--table') table = given[++at] ?? '';
    else if (word === '-w' || word === '--wait') at += /^\d+$/.test(given[at + 1] ?? '') ? 1 : 0;
    else if (command === undefined && LETTERS.has(letter)) {
      command = letter;
      const next = given[at + 1];
      if (next === undefined || next.startsWith('-')) {
        if (!CHAIN_IS_OPTIONAL.has(letter))
          throw new ChangeError(withHint(`option "${word}" requires an argument`, name), 2);
        continue;
      }
      chain = next;
      at++;
      if (['-I', '-R', '-D'].includes(letter) && /^\d+$/.test(given[at + 1] ?? '')) number = Number(given[++at]);
    } else if (word !== '-v' && word !== '-n' && word !== '--verbose') rest.push(word);
  }
  if (!isTableName(table)) {
    const advice = `Perhaps ${name} or your kernel needs to be upgraded.`;
    throw new ChangeError(`${name} ${IPTABLES_VERSION}: table '${table}' does not exist\n${advice}`, 3);
  }
  return { command: command ?? '', table, chain, number, rest };
}

function editOf(tables: RuleTables, { command, chain, number, rest }: Change, family: IpFamily): RuleEdit {
  if (command === '-F') return { kind: 'flush', chain };
  if (command === '-X') return { kind: 'delete-chain', chain };
  const named = chain ?? '';
  switch (command) {
    case '-N':
      return { kind: 'new-chain', chain: named };
    case '-P':
      return { kind: 'policy', chain: named, policy: policyNamed(rest[0]) };
    case '-A':
      return { kind: 'append', chain: named, rule: ruleOf(tables, rest, family) };
    case '-I':
      return { kind: 'insert', chain: named, at: number ?? 1, rule: ruleOf(tables, rest, family) };
    case '-R':
      return { kind: 'replace', chain: named, at: number ?? 0, rule: ruleOf(tables, rest, family) };
    case '-D':
      return { kind: 'delete', chain: named, rule: number ?? parseRule(rest, family) };
    default:
      throw new ChangeError('podwire: chains keep their names here', 2);
  }
}

/** A rule that may be put into a chain: its sets are there. */
function ruleOf(tables: RuleTables, words: readonly string[], family: IpFamily): Rule {
  const rule = parseRule(words, family);
  const sets = tables.ipSets();
  for (const match of rule.matches ?? []) {
    if (match.kind === 'set' && !sets.has(match.set)) throw new RuleSyntaxError(`Set ${match.set} doesn't exist.\n`);
  }
  return rule;
}

function policyNamed(text: string | undefined): 'ACCEPT' | 'DROP' {
  if (text === 'ACCEPT' || text === 'DROP') return text;
  throw new ChangeError("iptables: Bad policy name. Run `dmesg' for more information.", 1);
}

function check(tables: RuleTables, change: Change, family: IpFamily, name: string): CommandOutput {
  const chain = tables.ruleset.tables[change.table].chains.get(change.chain ?? '');
  if (chain === undefined) return failed(`${name}: ${NO_SUCH}`);
  const wanted = parseRule(change.rest, family);
  if (chain.rules.some((rule) => sameRule(rule, wanted))) return printed('');
  return failed(`${name}: Bad rule (does a matching rule exist in that chain?).`);
}

function zero(tables: RuleTables, { table, chain }: Change, name: string): CommandOutput {
  if (chain !== undefined && !tables.ruleset.tables[table].chains.has(chain)) return failed(`${name}: ${NO_SUCH}`);
  tables.zeroCounters(table, chain);
  return printed('');
}

const NAMES_OF_EDITS: Readonly<Partial<Record<RuleEdit['kind'], string>>> = {
  append: 'RULE_APPEND',
  insert: 'RULE_INSERT',
  replace: 'RULE_REPLACE',
  policy: 'CHAIN_UPDATE',
};

function refused(refusal: EditRefusal, edit: RuleEdit, name: string): CommandOutput {
  const chain = edit.chain ?? '';
  switch (refusal) {
    case 'no-chain':
      return failed(`${name}: ${NO_SUCH}`);
    case 'chain-exists':
      return failed(`${name}: Chain already exists.`);
    case 'bad-chain-name':
      return failed(withHint(`Invalid chain name \`${chain}'`, name), 2);
    case 'no-rule':
      return failed(`${name}: Bad rule (does a matching rule exist in that chain?).`);
    case 'insertion-too-far':
      return failed(`${name}: Index of insertion too big.`);
    case 'deletion-too-far':
      return failed(`${name}: Index of deletion too big.`);
    case 'replacement-too-far':
      return failed(`${name}: Index of replacement too big.`);
    case 'busy':
      return failed(`${name} ${IPTABLES_VERSION}:  CHAIN_DEL failed (Device or resource busy): chain ${chain}`, 4);
    case 'no-target':
      return failed(withHint(`Chain '${calledBy(edit)}' does not exist`, name), 2);
    case 'invalid':
    case 'full': {
      const why = refusal === 'full' ? 'No space left on device' : 'Invalid argument';
      return failed(
        `${name} ${IPTABLES_VERSION}:  ${NAMES_OF_EDITS[edit.kind]} failed (${why}): rule in chain ${chain}`,
        4,
      );
    }
  }
}

function calledBy(edit: RuleEdit): string {
  const target = 'rule' in edit && typeof edit.rule === 'object' ? edit.rule.target : undefined;
  return target?.kind === 'jump' || target?.kind === 'goto' ? target.chain : '';
}
