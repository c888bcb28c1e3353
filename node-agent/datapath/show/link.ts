/** `ip link show`, `ip -d link show`, `ip -s link show`, `bridge link show`: devices as data in the shape of `ip -j`, and as iproute2's text. */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import { formatMac } from '../../../shared/wire/address.ts';
import * as ethernet from '../../../shared/wire/ethernet.ts';
import { hasCarrier, type OperationalState, operationalState } from './carrier.ts';
import { detailsJson, detailsText, type LinkDetails, linkDetails, NO_ADDRESS, tunnelEnd } from './link-details.ts';
import { type LinkStatistics, linkStatistics, statisticsJson, statisticsLines } from './link-statistics.ts';
import { bridgesOf, masterOf, nearPeer, peerIndex, type ShownNamespace } from './namespace.ts';

export interface LinkRow {
  readonly ifindex: number;
  readonly ifname: string;
  /** The peer's index in another namespace. */
  readonly link_index?: number;
  /** The peer's name in this one. */
  readonly link?: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly qdisc: string;
  readonly master?: string;
  readonly operstate: OperationalState;
  readonly linkmode: 'DEFAULT';
  readonly group: 'default';
  readonly txqlen?: number;
  readonly link_type: 'loopback' | 'ether' | 'ipip' | 'none';
  /** Absent, as is `broadcast`, where the kind of device has no link addresses. */
  readonly address?: string;
  readonly broadcast?: string;
  readonly link_netnsid?: number;
  readonly stats64: LinkStatistics;
  /** `-d` */
  readonly details: LinkDetails;
}

export interface LinkTextOptions {
  /** `-d` */
  readonly details?: boolean;
  /** How often `-s` was said. */
  readonly statistics?: number;
}

const QUEUE_LENGTH = 1000;
/** As Linux shows it; a packet has a byte less. */
const LOOPBACK_MTU_BYTES = 65_536;

/** `ip -j link` and, with `details` or `statistics`, what `-d` and `-s` add. */
export function linkJson(row: LinkRow, options: LinkTextOptions = {}): Record<string, unknown> {
  const { details, stats64, linkmode, group, txqlen, link_type, address, broadcast, link_netnsid, ...first } = row;
  return {
    ...first,
    linkmode,
    group,
    txqlen,
    link_type,
    address,
    broadcast,
    link_netnsid,
    ...(options.details === true ? detailsJson(details) : {}),
    ...(options.statistics ? { stats64: statisticsJson(stats64, options.statistics > 1) } : {}),
  };
}

export function linkRows(namespace: ShownNamespace): LinkRow[] {
  return namespace.devices.map((device) => linkRow(namespace, device));
}

function linkRow(namespace: ShownNamespace, device: NetDevice): LinkRow {
  const near = nearPeer(namespace, device);
  const otherEnd = near === undefined ? peerIndex(device) : undefined;
  const master = masterOf(namespace, device);
  return {
    ifindex: device.index,
    ifname: device.name,
    link_index: otherEnd,
    link: near?.name,
    flags: flagsOf(device, near),
    mtu: device.kind === 'loopback' ? LOOPBACK_MTU_BYTES : device.mtuBytes,
    qdisc: device.kind === 'ethernet' ? 'fq_codel' : 'noqueue',
    master: master?.name,
    operstate: operationalState(device),
    linkmode: 'DEFAULT',
    group: 'default',
    txqlen: HAS_NO_QUEUE.has(device.kind) ? undefined : QUEUE_LENGTH,
    link_type: kindOf(device),
    ...linkAddresses(device),
    link_netnsid: otherEnd === undefined ? undefined : netnsIdOf(namespace, device),
    stats64: linkStatistics(device.counters),
    details: linkDetails(namespace, device, master),
  };
}

/** Of the namespace that the cable's other end is in; a pod knows that of the node as 0. */
function netnsIdOf({ named }: ShownNamespace, device: NetDevice): number {
  return Math.max(
    0,
    named.findIndex(({ hostDevice }) => hostDevice === device),
  );
}

function linkAddresses(device: NetDevice): Pick<LinkRow, 'address' | 'broadcast'> {
  switch (kindOf(device)) {
    case 'none':
      return {};
    case 'ipip':
      return { address: tunnelEnd(device, 'local'), broadcast: tunnelEnd(device, 'remote') };
    case 'loopback':
      return { address: formatMac(device.macAddress), broadcast: formatMac(0) };
    case 'ether':
      return { address: formatMac(device.macAddress), broadcast: formatMac(ethernet.BROADCAST) };
  }
}

const FLAGS_OF_KIND = {
  loopback: ['LOOPBACK'],
  ether: ['BROADCAST', 'MULTICAST'],
  ipip: ['NOARP'],
  none: ['POINTOPOINT', 'NOARP'],
} as const;

function kindOf({ kind }: NetDevice): LinkRow['link_type'] {
  if (kind === 'wireguard' || kind === 'tun') return 'none';
  return kind === 'loopback' || kind === 'ipip' ? kind : 'ether';
}

const HAS_NO_QUEUE: ReadonlySet<NetDevice['kind']> = new Set(['veth', 'vxlan', 'geneve']);
/** In Linux' order; `near` is the other end of a cable in the same namespace. */
function flagsOf(device: NetDevice, near: NetDevice | undefined): string[] {
  const kind = FLAGS_OF_KIND[kindOf(device)];
  const other = near?.up === false ? ['M-DOWN'] : [];
  if (!device.up) return [...kind, ...other];
  if (hasCarrier(device)) return [...kind, 'UP', 'LOWER_UP'];
  return ['NO-CARRIER', ...kind, 'UP', ...other];
}

/** The first line of a device in `ip link` and `ip addr`. */
export function linkHeading(row: LinkRow, mode: string): string {
  const name = `${row.ifname}${peerText(row)}`;
  const master = row.master === undefined ? '' : `master ${row.master} `;
  const queue = row.txqlen === undefined ? '' : `qlen ${row.txqlen}`;
  return `${row.ifindex}: ${name}: <${row.flags.join(',')}> mtu ${row.mtu} qdisc ${row.qdisc} ${master}state ${row.operstate} ${mode}group ${row.group} ${queue}`;
}

function peerText({ link_type, link, link_index }: LinkRow): string {
  if (link_type === 'ipip') return '@NONE';
  if (link !== undefined) return `@${link}`;
  return link_index === undefined ? '' : `@if${link_index}`;
}

/** The second line: `    link/ether 0a:58:0a:f4:01:05 brd ff:ff:ff:ff:ff:ff link-netnsid 0`. */
export function linkAddress(row: LinkRow): string {
  const netns = row.link_netnsid === undefined ? '' : ` link-netnsid ${row.link_netnsid}`;
  if (row.link_type === 'none') return '    link/none ';
  const other = row.link_type === 'ipip' && row.address !== NO_ADDRESS ? 'peer' : 'brd';
  return `    link/${row.link_type} ${row.address} ${other} ${row.broadcast}${netns}`;
}

export function formatLinks(rows: readonly LinkRow[], options: LinkTextOptions = {}): string {
  const lines = rows.flatMap((row) => {
    const device = [linkHeading(row, 'mode DEFAULT '), linkAddress(row)];
    if (options.details) {
      const [first, ...more] = detailsText(row.details);
      device[1] += ` ${first}`;
      device.push(...more.map((line) => `    ${line}`));
    }
    if (options.statistics) device.push(...statisticsLines(row.stats64, options.statistics > 1));
    return device;
  });
  return asText(lines);
}

/** `bridge link show`. */
export function formatBridgeLinks(namespace: ShownNamespace): string {
  const rows = linkRows(namespace).filter((row) => row.master !== undefined);
  return asText(
    rows.map(
      (row) =>
        `${row.ifindex}: ${row.ifname}${peerText(row)}: <${row.flags.join(',')}> mtu ${row.mtu} master ${row.master} state forwarding priority 32 cost 2 `,
    ),
  );
}

/** Names of the bridges and of their ports, for `brctl show`-like listings. */
export function bridgePorts(
  namespace: ShownNamespace,
): { readonly bridge: string; readonly ports: readonly string[] }[] {
  return bridgesOf(namespace).map((bridge) => ({
    bridge: bridge.name,
    ports: [...bridge.ports.keys()].map((device) => device.name),
  }));
}

/** Lines, each ended; nothing for none. */
export function asText(lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}
