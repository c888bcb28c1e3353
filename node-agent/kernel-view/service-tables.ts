/** Commands for the tables of Services that are not iptables': `ipvsadm -L`, `ipset list`, `nft list`, `cilium-dbg bpf lb list`. */
import type { IpSetEntry } from '../../shared/rules/ipvs.ts';
import { addressBits, formatAddress } from '../../shared/wire/ip-address.ts';
import type { IpSet } from '../datapath/ipvs/ip-set.ts';
import { NFT_TABLE, type NftTable } from '../datapath/nft/nft-table.ts';
import type { NodeDatapath } from '../datapath/path.ts';
import { formatFrontends } from '../datapath/show/bpf.ts';
import { formatIpvsConnections, formatStatistics, formatVirtualServers } from '../datapath/show/ipvs.ts';
import { type CommandOutput, failed, printed } from './command-output.ts';

/** `ipvsadm -L -n [--stats | -c]`. */
export function ipvsadmCommand(datapath: NodeDatapath, words: readonly string[]): CommandOutput {
  const has = (letter: string, ...longs: string[]): boolean =>
    words.some((word) => longs.includes(word) || (/^-[a-zA-Z]+$/.test(word) && word.includes(letter)));
  if (words.length > 0 && !has('L', '--list') && !has('l')) {
    return failed('ipvsadm: virtual servers are listed here (-L -n [--stats | -c]); kube-proxy changes them', 2);
  }
  const tables = [datapath.rules.ipv4.ipvs, datapath.rules.ipv6.ipvs];
  if (words.includes('--rate')) return failed('ipvsadm: rates are not estimated here: compare two of --stats', 2);
  if (has('c', '--connection')) return printed(formatIpvsConnections(datapath.conntrack, datapath.root.engine.nowUs));
  return printed(words.includes('--stats') ? formatStatistics(tables) : formatVirtualServers(tables));
}

/** `ipset list [-n] [NAME]`. */
export function ipsetCommand(datapath: NodeDatapath, words: readonly string[]): CommandOutput {
  const [action, ...rest] = words.filter((word) => !word.startsWith('-'));
  if (action !== 'list') return failed('ipset: sets are listed here (list [-n] [NAME]); kube-proxy changes them', 2);
  const { ipv4, ipv6 } = datapath.rules;
  const sets = new Map<string, IpSet>([...ipv4.ipSets(), ...ipv6.ipSets()]);
  const [wanted] = rest;
  if (wanted !== undefined && !sets.has(wanted)) {
    return failed(`ipset v7.19: The set with the given name does not exist`, 1);
  }
  const shown = [...sets].filter(([name]) => wanted === undefined || name === wanted);
  if (words.includes('-n') || words.includes('-name')) return printed(shown.map(([name]) => `${name}\n`).join(''));
  return printed(shown.map(([name, set]) => formatIpSet(name, set)).join('\n'));
}

function formatIpSet(name: string, set: IpSet): string {
  const entries = set.list();
  const inet = name.startsWith('KUBE-6-') ? 'inet6' : 'inet';
  const header = set.type === 'bitmap:port' ? 'range 0-65535' : `family ${inet} hashsize 1024 maxelem 65536`;
  const lines = [`Name: ${name}`, `Type: ${set.type}`, `Header: ${header}`, `Number of entries: ${entries.length}`];
  return `${[...lines, 'Members:', ...entries.map(formatEntry)].join('\n')}\n`;
}

/** `10.96.0.1,tcp:443`, `10.244.1.5,tcp:80,10.244.1.5`, `30080`. */
function formatEntry({ address, protocol, port, source, nomatch }: IpSetEntry): string {
  const parts: string[] = [];
  if (address !== undefined) parts.push(formatAddress(address));
  if (port !== undefined) parts.push(protocol === undefined ? String(port) : `${protocol}:${port}`);
  if (source !== undefined) {
    parts.push(
      formatAddress(source.address) +
        (source.prefixLength === addressBits(source.address) ? '' : `/${source.prefixLength}`),
    );
  }
  return parts.join(',') + (nomatch === true ? ' nomatch' : '');
}

/** `cilium-dbg bpf lb list`. */
export function ciliumCommand(datapath: NodeDatapath, words: readonly string[]): CommandOutput {
  if (words.join(' ') !== 'bpf lb list') return failed('cilium-dbg: there is `cilium-dbg bpf lb list` here', 1);
  return printed(formatFrontends(datapath.rules));
}

/** `nft list ruleset | tables | table ip kube-proxy | chain|map|set ip kube-proxy NAME`; `ip6` for the other family. */
export function nftCommand(datapath: NodeDatapath, words: readonly string[]): CommandOutput {
  const [action, object, family, table, name] = words.filter((word) => !word.startsWith('-'));
  if (action !== 'list') return failed('nft: tables are listed here (list ruleset); kube-proxy changes them', 1);
  const { ipv4, ipv6 } = datapath.rules;
  const tables = { ip: ipv4.nft, ip6: ipv6.nft };
  const present = [tables.ip, tables.ip6].filter((nft) => nft !== null);
  if (object === 'ruleset') return printed(present.map((nft) => nft.list()).join('\n'));
  if (object === 'tables') return printed(present.map((nft) => `table ${nft.family} ${NFT_TABLE}\n`).join(''));
  const nft = table === NFT_TABLE && (family === 'ip' || family === 'ip6') ? tables[family] : null;
  const text = nft === null ? undefined : listed(nft, object, name);
  return text === undefined ? noSuchObject(words) : printed(text);
}

/** A whole table, or one object of it inside the table's braces. */
function listed(nft: NftTable, object: string | undefined, name: string | undefined): string | undefined {
  const table = nft.list();
  if (object === 'table') return table;
  const block = table.split('\n\n').find((text) => text.trimStart().startsWith(`${object} ${name} {`));
  return block === undefined ? undefined : `table ${nft.family} ${NFT_TABLE} {\n${block.replace(/\n}\n$/, '')}\n}\n`;
}

function noSuchObject(words: readonly string[]): CommandOutput {
  const line = words.join(' ');
  const last = words.at(-1) ?? '';
  const marks = ' '.repeat(line.length - last.length) + '^'.repeat(last.length);
  return failed(`Error: No such file or directory\n${line}\n${marks}`, 1);
}
