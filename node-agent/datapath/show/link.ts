/** `ip link show`, `ip -d link show`, `ip -s link show`, `bridge link show`: devices as data in the shape of `ip -j`, and as iproute2's text. */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import { formatIpv4, formatMac } from '../../../shared/wire/address.ts';
import * as ethernet from '../../../shared/wire/ethernet.ts';
import * as geneve from '../../../shared/wire/geneve.ts';
import { isIpv6 } from '../../../shared/wire/ipv6-table.ts';
import { BridgeDevice } from '../bridge.ts';
import { CiliumVxlanDevice } from '../cilium/cilium-vxlan-device.ts';
import { GeneveDevice } from '../cilium/geneve-device.ts';
import { FDB_AGEING_US } from '../fdb.ts';
import { IpipDevice } from '../ipip-device.ts';
import { VxlanDevice } from '../vxlan-device.ts';
import { WeaveOverlay } from '../weave/weave-overlay.ts';
import { hasCarrier, type OperationalState, operationalState } from './carrier.ts';
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
  readonly stats64: { readonly rx: LinkStatistics; readonly tx: LinkStatistics };
  /** `-d`: what the kind of device has to say. */
  readonly details: readonly string[];
}

export interface LinkStatistics {
  readonly bytes: number;
  readonly packets: number;
  readonly errors: number;
  readonly dropped: number;
}

export interface LinkTextOptions {
  /** `-d` */
  readonly details?: boolean;
  /** `-s` */
  readonly statistics?: boolean;
}

const QUEUE_LENGTH = 1000;
/** As Linux shows it; a packet has a byte less. */
const LOOPBACK_MTU_BYTES = 65_536;

/** `ip -j link` and, with `details` or `statistics`, what `-d` and `-s` add. */
export function linkJson(row: LinkRow, options: LinkTextOptions = {}): Record<string, unknown> {
  const { details, stats64, linkmode, group, txqlen, link_type, address, broadcast, link_netnsid, ...first } = row;
  const kind = details[0]?.split(' ')[0];
  return {
    ...first,
    linkmode,
    group,
    txqlen,
    link_type,
    address,
    broadcast,
    link_netnsid,
    ...(options.details === true && kind !== undefined ? { linkinfo: { info_kind: kind } } : {}),
    ...(options.statistics === true ? { stats64 } : {}),
  };
}

export function linkRows(namespace: ShownNamespace): LinkRow[] {
  return namespace.devices.map((device) => linkRow(namespace, device));
}

function linkRow(namespace: ShownNamespace, device: NetDevice): LinkRow {
  const near = nearPeer(namespace, device);
  const otherEnd = near === undefined ? peerIndex(device) : undefined;
  const { counters } = device;
  return {
    ifindex: device.index,
    ifname: device.name,
    link_index: otherEnd,
    link: near?.name,
    flags: flagsOf(device, near),
    mtu: device.kind === 'loopback' ? LOOPBACK_MTU_BYTES : device.mtuBytes,
    qdisc: device.kind === 'ethernet' ? 'fq_codel' : 'noqueue',
    master: masterOf(namespace, device)?.name,
    operstate: operationalState(device),
    linkmode: 'DEFAULT',
    group: 'default',
    txqlen: HAS_NO_QUEUE.has(device.kind) ? undefined : QUEUE_LENGTH,
    link_type: kindOf(device),
    ...linkAddresses(device),
    link_netnsid: otherEnd === undefined ? undefined : netnsIdOf(namespace, device),
    stats64: {
      rx: { bytes: counters.rxBytes, packets: counters.rxPackets, errors: 0, dropped: counters.rxDropped },
      tx: { bytes: counters.txBytes, packets: counters.txPackets, errors: 0, dropped: counters.txDropped },
    },
    details: details(namespace, device),
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
/** The link address of a tunnel with no end of its own. */
const NO_ADDRESS = '0.0.0.0';

/** A tunnel with many ends has no link addresses. */
function tunnelEnd(device: NetDevice, end: 'local' | 'remote'): string {
  const hasOne = device instanceof IpipDevice && device.remote !== null;
  return hasOne ? formatIpv4(device[end] ?? 0) : NO_ADDRESS;
}

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

function details(namespace: ShownNamespace, device: NetDevice): string[] {
  if (device instanceof VxlanDevice) {
    const local = namespace.host
      .addresses()
      .find(({ device: carrier, address }) => carrier.kind === 'ethernet' && !isIpv6(address));
    const source = local === undefined ? '' : `local ${formatIpv4(local.address)} dev ${local.device.name} `;
    return [
      `vxlan id ${device.vni} ${source}srcport 0 0 dstport ${device.port} nolearning ttl auto ageing 300 udpcsum`,
    ];
  }
  if (device instanceof WeaveOverlay) return ['vxlan external dstport 6784 nolearning ttl auto ageing 300 udpcsum'];
  if (device instanceof CiliumVxlanDevice)
    return ['vxlan external dstport 8472 nolearning ttl auto ageing 300 udpcsum'];
  if (device instanceof GeneveDevice) return [`geneve external id 0 ttl auto dstport ${geneve.PORT} udpcsum`];
  if (device instanceof BridgeDevice) {
    const filter = device.callIptables ? 1 : 0;
    return [
      `bridge forward_delay 1500 hello_time 200 max_age 2000 ageing_time ${FDB_AGEING_US / 10_000} stp_state 0 priority 32768 vlan_filtering 0 nf_call_iptables ${filter}`,
    ];
  }
  if (device instanceof IpipDevice) {
    const [remote, local] = [tunnelEnd(device, 'remote'), tunnelEnd(device, 'local')];
    const ends = device.remote === null ? 'remote any local any' : `remote ${remote} local ${local}`;
    return [`ipip ipip ${ends} ttl inherit nopmtudisc`];
  }
  if (device.kind === 'wireguard') return ['wireguard'];
  if (device.kind === 'tun') return ['tun type tun pi off vnet_hdr off persist off'];
  if (device.kind !== 'veth') return [];
  const port = masterOf(namespace, device)?.ports.get(device);
  const slave = `bridge_slave state forwarding priority 32 cost 2 hairpin ${port?.hairpin ? 'on' : 'off'} guard off root_block off fastleave off learning on flood on`;
  return port === undefined ? ['veth'] : ['veth', slave];
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
      device[1] += ` promiscuity ${row.master === undefined ? 0 : 1}  allmulti ${row.master === undefined ? 0 : 1} minmtu 68 maxmtu 65535 `;
      device.push(...row.details.map((detail) => `    ${detail} `));
    }
    if (options.statistics) device.push(...statisticsLines(row));
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

/** iproute2's columns: at least as wide as these, and as the widest number of both directions. */
const RX_TITLES = ['bytes', 'packets', 'errors', 'dropped', 'missed', 'mcast'];
const TX_TITLES = ['bytes', 'packets', 'errors', 'dropped', 'carrier', 'collsns'];
const LEAST_WIDTHS = [10, 7, 6, 7, 7, 7];
const DIRECTION_WIDTH = 4;

function statisticsLines({ stats64 }: LinkRow): string[] {
  const numbers = ({ bytes, packets, errors, dropped }: LinkStatistics) => [bytes, packets, errors, dropped, 0, 0];
  const [received, sent] = [numbers(stats64.rx), numbers(stats64.tx)];
  const widths = LEAST_WIDTHS.map((least, at) => Math.max(least, `${received[at]}`.length, `${sent[at]}`.length));
  const cells = (values: readonly (string | number)[], narrower = 0) =>
    values.map((value, at) => `${value}`.padStart(widths[at]! - (at === 0 ? narrower : 0))).join(' ');
  return [
    `    RX: ${cells(RX_TITLES, DIRECTION_WIDTH)}           `,
    `    ${cells(received)} `,
    `    TX: ${cells(TX_TITLES, DIRECTION_WIDTH)}           `,
    `    ${cells(sent)} `,
  ];
}

/** Lines, each ended; nothing for none. */
export function asText(lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}
