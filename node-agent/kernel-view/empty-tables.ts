/** netfilter's tables of a pod's own namespace, for a container with CAP_NET_ADMIN: nothing is tracked or filtered there, nor can be. */
import { iptablesList } from '../../shared/rules/iptables-list.ts';
import { iptablesSave } from '../../shared/rules/iptables-save.ts';
import { emptyRuleset } from '../../shared/rules/ruleset.ts';
import { isTableName } from '../../shared/rules/table.ts';
import type { IpFamily } from '../../shared/wire/ip-address.ts';
import { type CommandOutput, failed, printed } from './command-output.ts';

type Listing = (words: readonly string[]) => CommandOutput;

const EMPTY = emptyRuleset('');
const NOT_HERE = "podwire: netfilter is the node's; in a pod's own namespace its tables are empty and stay so";

function conntrack(words: readonly string[]): CommandOutput {
  if (words.includes('-C')) return printed('0\n');
  if (!words.some((word) => word === '-L' || word === '--dump')) return failed(NOT_HERE);
  return { stdout: '', stderr: 'conntrack v1.4.8 (conntrack-tools): 0 flow entries have been shown.\n', code: 0 };
}

function iptables(family: IpFamily): Listing {
  return (words) => {
    const at = words.findIndex((word) => word === '-t' || word === '--table');
    const table = at === -1 ? 'filter' : (words[at + 1] ?? '');
    if (!isTableName(table) || !words.some((word) => /^-[nvx]*L|^--list/.test(word))) return failed(NOT_HERE);
    const has = (letter: string): boolean => words.some((word) => /^-[a-zL]+$/.test(word) && word.includes(letter));
    const letters = { verbose: has('v'), numeric: has('n'), exact: has('x') };
    const counters = () => ({ packets: 0, bytes: 0 });
    return printed(
      iptablesList(EMPTY, { ...letters, family, table, lineNumbers: words.includes('--line-numbers'), counters }),
    );
  };
}

export const EMPTY_TABLES: Readonly<Record<string, Listing>> = {
  conntrack,
  iptables: iptables('ipv4'),
  ip6tables: iptables('ipv6'),
  'iptables-save': () => printed(iptablesSave(EMPTY)),
  'ip6tables-save': () => printed(iptablesSave(EMPTY, { family: 'ipv6' })),
  nft: (words) => (words[0] === 'list' ? printed('') : failed(NOT_HERE)),
  ipset: () => printed(''),
};
