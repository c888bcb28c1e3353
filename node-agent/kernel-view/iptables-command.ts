/** `iptables -L`, `iptables -S`, `iptables-save` and ip6tables': the node's rules, which kube-proxy and the CNI plugin write; `iptables-change.ts` has an administrator's changes. */
import { iptablesList } from '../../shared/rules/iptables-list.ts';
import { formatRule } from '../../shared/rules/iptables-save.ts';
import type { Ruleset } from '../../shared/rules/ruleset.ts';
import { BUILT_IN_CHAINS, isBuiltInChain, isTableName, TABLE_NAMES, type TableName } from '../../shared/rules/table.ts';
import type { IpFamily } from '../../shared/wire/ip-address.ts';
import type { NodeDatapath } from '../datapath/path.ts';
import { type CommandOutput, failed, printed } from './command-output.ts';
import { changeRules, IPTABLES_VERSION, isChange } from './iptables-change.ts';

const LONG_LETTERS: Readonly<Record<string, string>> = {
  '--list': 'L',
  '--list-rules': 'S',
  '--numeric': 'n',
  '--verbose': 'v',
  '--exact': 'x',
  '--table': 't',
  '--wait': 'w',
};

interface Invocation {
  readonly command: 'L' | 'S';
  readonly table: TableName;
  readonly chain: string | undefined;
  /** Counted from 1. */
  readonly rule: number | undefined;
  readonly letters: ReadonlySet<string>;
  readonly lineNumbers: boolean;
}

/** `iptables-save [-t TABLE] [-c]`, and `ip6tables-save`. */
export function iptablesSaveCommand(
  datapath: NodeDatapath,
  words: readonly string[],
  family: IpFamily = 'ipv4',
): CommandOutput {
  const at = words.findIndex((word) => word === '-t' || word === '--table');
  const table = at === -1 ? undefined : (words[at + 1] ?? '');
  if (table !== undefined && !isTableName(table)) {
    return failed(`iptables-save: there are the tables ${TABLE_NAMES.join(', ')}`, 2);
  }
  return printed(
    datapath.rules.list({ family, table, counters: words.includes('-c') || words.includes('--counters') }),
  );
}

/** `iptables [-t TABLE] [-n] [-v] [-x] [--line-numbers] -L|-S [CHAIN [RULE]]`; `filter` is the table meant by default. */
export function iptablesCommand(
  datapath: NodeDatapath,
  words: readonly string[],
  family: IpFamily = 'ipv4',
): CommandOutput {
  const name = family === 'ipv6' ? 'ip6tables' : 'iptables';
  if (isChange(words)) return changeRules(datapath.rules[family], words, family, name);
  const invocation = readInvocation(words, name);
  if ('stderr' in invocation) return invocation;
  const tables = datapath.rules[family];
  const { command, table, chain, letters } = invocation;
  if (chain !== undefined && !tables.ruleset.tables[table].chains.has(chain) && !isBuiltInChain(table, chain)) {
    return failed(`${name}: No chain/target/match by that name.`);
  }
  const counters = (of: string, index: number) => tables.counters(table, of, index);
  if (command === 'S') return printed(rulesText(tables.ruleset, invocation, family, counters));
  return printed(
    iptablesList(tables.ruleset, {
      ...invocation,
      family,
      verbose: letters.has('v'),
      numeric: letters.has('n'),
      exact: letters.has('x'),
      counters,
    }),
  );
}

/** `-L` and `-S` take a chain and the number of a rule behind them, `-t` a table; letters may stand together (`-nvL`). */
function readInvocation(words: readonly string[], name: string): Invocation | CommandOutput {
  const letters = new Set<string>();
  let command: 'L' | 'S' | undefined;
  let table = 'filter';
  let lineNumbers = false;
  let operands: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (word === '--line-numbers') lineNumbers = true;
    else if (!word.startsWith('-')) return badArgument(word, name);
    else {
      for (const letter of word.startsWith('--') ? (LONG_LETTERS[word] ?? '?') : word.slice(1)) letters.add(letter);
      const last = LONG_LETTERS[word] ?? word.at(-1);
      if (last === 't') table = words[++at] ?? '';
      if (last !== 'L' && last !== 'S') continue;
      command = last;
      operands = operandsAfter(words, at);
      at += operands.length;
    }
  }
  if (words.length === 0) return failed(`${name} ${IPTABLES_VERSION}: no command specified\n${hint(name)}`, 2);
  if (command === undefined) {
    return failed(`${name} ${IPTABLES_VERSION}: no command specified\n${hint(name)}`, 2);
  }
  if (!isTableName(table)) {
    const advice = `Perhaps ${name} or your kernel needs to be upgraded.`;
    return failed(`${name} ${IPTABLES_VERSION}: table '${table}' does not exist\n${advice}`, 3);
  }
  const [chain, rule] = operands;
  return { command, table, chain, rule: rule === undefined ? undefined : Number(rule), letters, lineNumbers };
}

/** `[CHAIN [RULE]]` */
function operandsAfter(words: readonly string[], at: number): string[] {
  const chain = words[at + 1];
  if (chain === undefined || chain.startsWith('-')) return [];
  const rule = words[at + 2];
  return rule !== undefined && /^[0-9]+$/.test(rule) ? [chain, rule] : [chain];
}

function badArgument(word: string, name: string): CommandOutput {
  return failed(`Bad argument \`${word}'\n${hint(name)}`, 2);
}

function hint(name: string): string {
  return `Try \`${name} -h' or '${name} --help' for more information.`;
}

function rulesText(
  ruleset: Ruleset,
  { table, chain, rule: only, letters }: Invocation,
  family: IpFamily,
  counters: (chain: string, index: number) => { readonly packets: number; readonly bytes: number },
): string {
  const { chains } = ruleset.tables[table];
  const userChains = [...chains.keys()].filter((name) => !isBuiltInChain(table, name)).sort();
  const names = chain === undefined ? [...BUILT_IN_CHAINS[table], ...userChains] : [chain];
  const counter = (name: string, index: number) => (letters.has('v') ? counters(name, index) : undefined);
  const heads = names.map((name) => {
    const { packets, bytes } = counters(name, -1);
    if (!isBuiltInChain(table, name)) return `-N ${name}\n`;
    return `-P ${name} ${chains.get(name)?.policy ?? 'ACCEPT'}${letters.has('v') ? ` -c ${packets} ${bytes}` : ''}\n`;
  });
  const rules = names.flatMap((name) =>
    (chains.get(name)?.rules ?? []).map((rule, index) => `${formatRule(name, rule, family, counter(name, index))}\n`),
  );
  return only === undefined ? [...heads, ...rules].join('') : (rules[only - 1] ?? '');
}
