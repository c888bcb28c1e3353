/** Commands that only a node has: `bridge`, `iptables-save`, `iptables -S|-L`. */
import { isTableName, TABLE_NAMES, type TableName } from '../../shared/rules/table.ts';
import type { IpFamily } from '../../shared/wire/ip-address.ts';
import type { NodeDatapath } from '../datapath/path.ts';
import { fdbRows, formatFdb } from '../datapath/show/fdb.ts';
import { formatBridgeLinks } from '../datapath/show/link.ts';
import { masterOf, nodeNamespace, type ShownNamespace } from '../datapath/show/namespace.ts';
import { type CommandOutput, failed, printed, printedJson } from './command-output.ts';

export function bridgeCommand(datapath: NodeDatapath, words: readonly string[]): CommandOutput {
  const json = words.includes('-j') || words.includes('-json');
  const [object = '', ...rest] = words.filter((word) => !word.startsWith('-'));
  const namespace = nodeNamespace(datapath);
  if (object !== '' && 'fdb'.startsWith(object)) {
    const br = rest.indexOf('br');
    const rows = fdbRows(namespace, br === -1 ? undefined : rest[br + 1]);
    const dev = rest.indexOf('dev');
    const shown = dev === -1 ? rows : rows.filter((row) => row.ifname === rest[dev + 1]);
    return json ? printedJson(shown) : printed(formatFdb(shown));
  }
  if (object !== '' && 'link'.startsWith(object)) return printed(formatBridgeLinks(namespace));
  if (object !== '' && 'vlan'.startsWith(object)) return printed(vlanText(namespace));
  return failed('Usage: bridge [ -j ] { fdb | link | vlan } [ show ] [ br BRIDGE ] [ dev DEVICE ]', 255);
}

/** VLAN filtering is off: every port is in VLAN 1. */
function vlanText(namespace: ShownNamespace): string {
  const members = namespace.devices.filter(
    (device) => device.kind === 'bridge' || masterOf(namespace, device) !== undefined,
  );
  const lines = members.map(({ name }) => `${name.padEnd(17)} 1 PVID Egress Untagged\n`);
  return `port              vlan-id  \n${lines.join('')}`;
}

/** `iptables-save [-t TABLE] [-c]`, and `ip6tables-save`. */
export function iptablesSaveCommand(
  datapath: NodeDatapath,
  words: readonly string[],
  family: IpFamily = 'ipv4',
): CommandOutput {
  const table = tableOf(words);
  if (table === 'unknown') return failed(`iptables-save: there are the tables ${TABLE_NAMES.join(', ')}`, 2);
  return printed(
    datapath.rules.list({ family, table, counters: words.includes('-c') || words.includes('--counters') }),
  );
}

/** `iptables [-t TABLE] -S|-L|-nL [CHAIN]` and `ip6tables`, as rules in iptables-save's form; `filter` is the table meant by default. */
export function iptablesCommand(
  datapath: NodeDatapath,
  words: readonly string[],
  family: IpFamily = 'ipv4',
): CommandOutput {
  const table = tableOf(words);
  if (table === 'unknown') return failed(`iptables: there are the tables ${TABLE_NAMES.join(', ')}`, 2);
  if (!words.some((word) => /^-[a-z]*[SL]/.test(word) || word === '--list' || word === '--list-rules')) {
    return failed('iptables: rules are listed here (-S, -L); they are changed by kube-proxy and the CNI plugin', 2);
  }
  const at = words.findIndex((word) => /^-[a-z]*[SL]/.test(word));
  const next = words[at + 1];
  const chain = next === undefined || next.startsWith('-') ? undefined : next;
  const lines = datapath.rules
    .list({ family, table: table ?? 'filter' })
    .split('\n')
    .filter((line) => line.startsWith(':') || line.startsWith('-A'))
    .filter((line) => chain === undefined || line.startsWith(`:${chain} `) || line.startsWith(`-A ${chain} `));
  if (lines.length === 0) return failed('iptables: No chain/target/match by that name.');
  return printed(`${lines.map(listed).join('\n')}\n`);
}

/** `:INPUT ACCEPT [0:0]` is `-P INPUT ACCEPT` there, `:KUBE-X - [0:0]` is `-N KUBE-X`. */
function listed(line: string): string {
  const chain = /^:(\S+) (\S+)/.exec(line);
  if (chain === null) return line;
  return chain[2] === '-' ? `-N ${chain[1]}` : `-P ${chain[1]} ${chain[2]}`;
}

function tableOf(words: readonly string[]): TableName | 'unknown' | undefined {
  const at = words.findIndex((word) => word === '-t' || word === '--table');
  if (at === -1) return undefined;
  const name = words[at + 1] ?? '';
  return isTableName(name) ? name : 'unknown';
}
