/** `calicoctl` on a node: its BGP peers; and of the cluster the pool, its blocks and the nodes, as this node knows them. */
import { formatIpv4, parseIpv4 } from '../../../shared/wire/address.ts';
import { formatPrefix, type IpPrefix, networkOf } from '../../../shared/wire/ip-address.ts';
import type { Encapsulation } from '../../datapath/network/routed-network.ts';
import { DEFAULT_AS } from '../bgp/node-speaker.ts';
import type { BgpSpeaker } from '../bgp/speaker.ts';
import { uptime } from '../bgp/uptime.ts';

export const BLOCK_PREFIX_LENGTH = 26;

/** What an address was given to. */
export interface AddressHolder {
  readonly address: number;
  readonly node: string;
  /** null: the node's own tunnel. */
  readonly pod: { readonly namespace: string; readonly name: string } | null;
}

export interface CalicoctlView {
  /** Undefined where no BGP runs. */
  readonly speaker: BgpSpeaker | undefined;
  readonly nowUs: number;
  readonly pool: IpPrefix;
  readonly encapsulation: Encapsulation;
  /** Of the whole cluster. */
  readonly holders: readonly AddressHolder[];
  /** Blocks that are claimed whether or not an address of theirs is in use. */
  readonly claimedBlocks: readonly IpPrefix[];
  readonly nodes: readonly { readonly name: string; readonly internalIp: number }[];
  readonly nodePrefixLength: number;
}

const USAGE = 'node status, ipam show [--show-blocks] [--ip=IP], get nodes [-o wide], get ippools [-o wide]';

export function calicoctl(view: CalicoctlView, words: readonly string[]): string {
  const isWide = /(^| )(-o ?|--output[= ])wide( |$)/.test(words.join(' '));
  const [verb = '', what = ''] = words.filter((word) => !word.startsWith('-') && word !== 'wide');
  if (verb === 'node' && what === 'status') return nodeStatus(view);
  if (verb === 'ipam' && what === 'show') return ipamShow(view, words);
  if (verb === 'get' && /^nodes?$/.test(what)) return columns(nodeRows(view, isWide));
  if (verb === 'get' && /^ip-?pools?$/i.test(what)) return columns(poolRows(view, isWide));
  if (verb === 'get')
    return `${what || 'nothing'}: this calicoctl gets nodes and ippools; policies and tiers are shown by kubectl get globalnetworkpolicies,tiers\n`;
  return `Invalid option: 'calicoctl ${words.join(' ')}'. This calicoctl knows ${USAGE}.\n`;
}

function nodeStatus({ speaker, nowUs }: CalicoctlView): string {
  const peers = (speaker?.status() ?? []).map(({ address, session, sinceUs }) => {
    const isUp = session.state === 'Established';
    const info = isUp || session.lastError === '' ? session.state : `${session.state} ${session.lastError}`;
    const state = isUp ? 'up' : 'start';
    return [formatIpv4(address), 'node-to-node mesh', state, uptime(nowUs - sinceUs), info];
  });
  const header = ['PEER ADDRESS', 'PEER TYPE', 'STATE', 'SINCE', 'INFO'];
  const table = peers.length === 0 ? 'No IPv4 peers found.\n' : boxed(header, peers);
  const running =
    speaker === undefined ? 'The BGP backend process (BIRD) is not running.\n' : `IPv4 BGP status\n${table}`;
  return `Calico process is running.\n\n${running}\nIPv6 BGP status\nNo IPv6 peers found.\n`;
}

function ipamShow(view: CalicoctlView, words: readonly string[]): string {
  const asked = /--ip[= ](\S+)/.exec(words.join(' '))?.[1];
  if (asked !== undefined) return addressShow(view, asked);
  const inUse = view.holders.map(({ address }) => address);
  const rows = [usageRow('IP Pool', view.pool, inUse)];
  if (words.includes('--show-blocks')) {
    for (const network of blockNetworks(view)) {
      rows.push(usageRow('Block', { address: network, prefixLength: BLOCK_PREFIX_LENGTH }, inUse));
    }
  }
  return boxed(['GROUPING', 'CIDR', 'IPS TOTAL', 'IPS IN USE', 'IPS FREE'], rows);
}

function addressShow({ holders }: CalicoctlView, text: string): string {
  const address = parseIpv4(text);
  if (address === undefined) return `Error: invalid IP address: ${text}\n`;
  const holder = holders.find((one) => one.address === address);
  if (holder === undefined) return `${text} is not assigned\n`;
  const { node, pod } = holder;
  const attributes = pod === null ? ['type: ipipTunnelAddress'] : [`namespace: ${pod.namespace}`, `pod: ${pod.name}`];
  return [`IP ${text} is in use`, 'Attributes:', ...attributes.map((line) => `  ${line}`), `  node: ${node}`, ''].join(
    '\n',
  );
}

function blockNetworks({ holders, claimedBlocks }: CalicoctlView): number[] {
  const used = holders.map(({ address }) => networkOf(address, BLOCK_PREFIX_LENGTH));
  return [...new Set([...used, ...claimedBlocks.map(({ address }) => address)])].sort((a, b) => a - b);
}

function usageRow(grouping: string, prefix: IpPrefix, inUse: readonly number[]): string[] {
  const total = 2 ** (32 - prefix.prefixLength);
  const used = inUse.filter((address) => networkOf(address, prefix.prefixLength) === prefix.address).length;
  const share = (count: number) => `${count} (${Math.round((count * 100) / total)}%)`;
  return [grouping, formatPrefix(prefix), String(total), share(used), share(total - used)];
}

function nodeRows({ nodes, nodePrefixLength }: CalicoctlView, isWide: boolean): string[][] {
  if (!isWide) return [['NAME'], ...nodes.map(({ name }) => [name])];
  const rows = nodes.map(({ name, internalIp }) => [
    name,
    `(${DEFAULT_AS})`,
    `${formatIpv4(internalIp)}/${nodePrefixLength}`,
    '',
  ]);
  return [['NAME', 'ASN', 'IPV4', 'IPV6'], ...rows];
}

function poolRows({ pool, encapsulation }: CalicoctlView, isWide: boolean): string[][] {
  const [name, cidr] = ['default-ipv4-ippool', formatPrefix(pool)];
  if (!isWide)
    return [
      ['NAME', 'CIDR', 'SELECTOR'],
      [name, cidr, 'all()'],
    ];
  const mode = (always: Encapsulation, crossSubnet: Encapsulation) =>
    encapsulation === always ? 'Always' : encapsulation === crossSubnet ? 'CrossSubnet' : 'Never';
  return [
    ['NAME', 'CIDR', 'NAT', 'IPIPMODE', 'VXLANMODE', 'DISABLED', 'DISABLEBGPEXPORT', 'SELECTOR'],
    [
      name,
      cidr,
      'true',
      mode('ipip', 'ipip-cross-subnet'),
      mode('vxlan', 'vxlan-cross-subnet'),
      'false',
      'false',
      'all()',
    ],
  ];
}

function widthsOf(rows: readonly (readonly string[])[]): number[] {
  return (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
}

/** As `calicoctl get` prints. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = widthsOf(rows);
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i]!))
          .join('   ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** As `calicoctl ipam show` and `node status` print: titles in the middle, numbers at the right. */
function boxed(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = widthsOf([header, ...rows]);
  const rule = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+\n`;
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;
  const centred = (text: string, width: number) =>
    text.padStart(text.length + ((width - text.length) >> 1)).padEnd(width);
  const placed = (text: string, width: number) => (/^\d+$/.test(text) ? text.padStart(width) : text.padEnd(width));
  const title = line(header.map((text, i) => centred(text, widths[i]!)));
  return `${rule}${title}${rule}${rows.map((row) => line(row.map((text, i) => placed(text, widths[i]!)))).join('')}${rule}`;
}
