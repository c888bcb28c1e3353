/** `calicoctl ipam show` and `ipam check`, in the form of the original's. */
import { formatIpv4, parseIpv4 } from '../../../shared/wire/address.ts';
import { formatPrefix, type IpPrefix, isInNetwork } from '../../../shared/wire/ip-address.ts';
import { type Block, type HeldAddress, type Holder, heldAddresses, nodeOf } from './ipam/block.ts';
import type { IpPool } from './ipam/ip-pool.ts';
import { boxed } from './printed-table.ts';

export interface IpamView {
  /** Of the whole cluster, as this node knows them. */
  readonly pools: readonly IpPool[];
  readonly blocks: readonly Block[];
  readonly strictAffinity: boolean;
  /** Addresses that pods have. */
  readonly podAddresses: readonly number[];
}

const MOST_NODES = 20;

export function ipamShow(view: IpamView, words: readonly string[]): string {
  const asked = /--ip[= ](\S+)/.exec(words.join(' '))?.[1];
  if (asked !== undefined) return addressShow(view, asked);
  if (words.includes('--show-borrowed')) return borrowedShow(view);
  if (words.includes('--show-configuration')) return configurationShow(view);
  const held = view.blocks.flatMap(heldAddresses).map(({ address }) => address);
  const rows = view.pools.flatMap(({ cidr }) => [
    usageRow('IP Pool', cidr, held),
    ...(words.includes('--show-blocks')
      ? blocksIn(view, cidr).map(({ prefix }) => usageRow('Block', prefix, held))
      : []),
  ]);
  return boxed(['GROUPING', 'CIDR', 'IPS TOTAL', 'IPS IN USE', 'IPS FREE'], rows);
}

function blocksIn({ blocks }: IpamView, { address, prefixLength }: IpPrefix): Block[] {
  return blocks
    .filter(({ prefix }) => isInNetwork(prefix.address, address, prefixLength))
    .sort((a, b) => a.prefix.address - b.prefix.address);
}

function usageRow(grouping: string, prefix: IpPrefix, held: readonly number[]): string[] {
  const total = 2 ** (32 - prefix.prefixLength);
  const used = held.filter((address) => isInNetwork(address, prefix.address, prefix.prefixLength)).length;
  const share = (count: number) => `${count} (${Math.round((count * 100) / total)}%)`;
  return [grouping, formatPrefix(prefix), String(total), share(used), share(total - used)];
}

function addressShow({ blocks }: IpamView, text: string): string {
  const address = parseIpv4(text);
  if (address === undefined) return `Error: invalid IP address: ${text}\n`;
  const held = blocks.flatMap(heldAddresses).find((one) => one.address === address);
  if (held === undefined) return `${text} is not assigned\n`;
  const attributes = Object.entries(held.holder.secondary).sort(([a], [b]) => (a < b ? -1 : 1));
  return `IP ${text} is in use\nAttributes:\n${attributes.map(([name, value]) => `  ${name}: ${value}\n`).join('')}`;
}

function borrowedShow({ blocks }: IpamView): string {
  const rows = blocks.flatMap((block) => {
    const owner = nodeOf(block);
    return heldAddresses(block).flatMap(({ address, holder }) => {
      const { node = '' } = holder.secondary;
      if (node === owner) return [];
      return [[formatIpv4(address), node, formatPrefix(block.prefix), owner ?? '', typeOf(holder), nameOf(holder)]];
    });
  });
  return boxed(['IP', 'BORROWING-NODE', 'BLOCK', 'BLOCK OWNER', 'TYPE', 'ALLOCATED-TO'], rows);
}

function typeOf({ secondary }: Holder): string {
  return secondary.type ?? 'pod';
}

function nameOf({ secondary: { namespace, pod, node } }: Holder): string {
  return pod === undefined ? (node ?? '') : `${namespace}/${pod}`;
}

function configurationShow({ strictAffinity }: IpamView): string {
  return boxed(
    ['PROPERTY', 'VALUE'],
    [
      ['StrictAffinity', String(strictAffinity)],
      ['AutoAllocateBlocks', 'true'],
      ['MaxBlocksPerHost', '0'],
    ],
  );
}

/** Compares what the blocks say with the addresses that pods have. */
export function ipamCheck(view: IpamView): string {
  const { blocks, pools, podAddresses } = view;
  const held = blocks.flatMap(heldAddresses);
  const tunnels = held.filter(({ holder }) => holder.secondary.type !== undefined);
  const inUse = new Set([...podAddresses, ...tunnels.map(({ address }) => address)]);
  const allocated = new Set(held.map(({ address }) => address));
  const leaked = held.filter(({ address }) => !inUse.has(address));
  const outside = [...inUse].filter((address) => !pools.some(({ cidr }) => covers(cidr, address)));
  const missing = [...inUse].filter((address) => !allocated.has(address) && !outside.includes(address));
  const problems = leaked.length + outside.length + missing.length;
  const line = (text: string, list: readonly string[]) => [text, ...list.map((one) => `  ${one}`)];
  return [
    'Checking IPAM for inconsistencies...',
    '',
    'Loading all IPAM blocks...',
    ...line(
      `Found ${blocks.length} IPAM blocks.`,
      blocks.map(({ prefix, spec }) => `IPAM block ${formatPrefix(prefix)} affinity=${spec.affinity ?? '<none>'}:`),
    ),
    `IPAM blocks record ${held.length} allocations.`,
    '',
    'Loading all IPAM pools...',
    ...pools.map(({ cidr }) => `  ${formatPrefix(cidr)}`),
    `Found ${pools.length} active IP pools.`,
    '',
    'Loading all nodes.',
    `Found ${tunnels.length} node tunnel IPs.`,
    '',
    'Loading all workload endpoints.',
    `Found ${podAddresses.length} workload IPs.`,
    `Workloads and nodes are using ${inUse.size} IPs.`,
    '',
    `Looking for top (up to ${MOST_NODES}) nodes by allocations...`,
    ...byNode(held),
    '',
    'Scanning for IPs that are allocated but not actually in use...',
    ...line(`Found ${leaked.length} IPs that are allocated in IPAM but not actually in use.`, leaked.map(leakText)),
    'Scanning for IPs that are in use by a workload or node but not allocated in IPAM...',
    ...line(`Found ${outside.length} in-use IPs that are not in active IP pools.`, outside.map(formatIpv4)),
    ...line(
      `Found ${missing.length} in-use IPs that are in active IP pools but have no corresponding IPAM allocation.`,
      missing.map(formatIpv4),
    ),
    '',
    `Check complete; found ${problems} problems.`,
    '',
  ].join('\n');
}

function byNode(held: readonly HeldAddress[]): string[] {
  const counts = new Map<string, number>();
  for (const { holder } of held) {
    const { node = '' } = holder.secondary;
    counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  const most = sorted[0]?.[1] ?? 0;
  const median = sorted[Math.floor(sorted.length / 2)]?.[1] ?? 0;
  return [
    ...sorted.slice(0, MOST_NODES).map(([node, count]) => `  ${node} has ${count} allocations`),
    `Node with most allocations has ${most}; median is ${median}`,
  ];
}

function leakText({ address, holder }: HeldAddress): string {
  return `${formatIpv4(address)} leaked; attrs ${typeOf(holder)}:${nameOf(holder)}`;
}

function covers({ address, prefixLength }: IpPrefix, one: number): boolean {
  return isInNetwork(one, address, prefixLength);
}
