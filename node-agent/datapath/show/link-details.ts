/** What `ip -d link` adds: what a device's kind has to say, and what all have. */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import type { Host } from '../../../shared/netstack/host.ts';
import { formatIpv4, formatMac } from '../../../shared/wire/address.ts';
import * as geneve from '../../../shared/wire/geneve.ts';
import { isIpv6 } from '../../../shared/wire/ipv6-table.ts';
import { BridgeDevice } from '../bridge.ts';
import { CiliumVxlanDevice } from '../cilium/cilium-vxlan-device.ts';
import { GeneveDevice } from '../cilium/geneve-device.ts';
import { FDB_AGEING_US } from '../fdb.ts';
import { IpipDevice } from '../ipip-device.ts';
import { VxlanDevice } from '../vxlan-device.ts';
import { WeaveOverlay } from '../weave/weave-overlay.ts';
import type { ShownNamespace } from './namespace.ts';

export interface LinkDetails {
  readonly mtuLimits: readonly [least: number, most: number];
  /** Absent for `lo` and the node's card. */
  readonly kind?: KindDetails;
  /** Of a bridge's port. */
  readonly slave?: KindDetails;
}

/** `text` begins with the kind; `data` is what JSON has of it. */
interface KindDetails {
  readonly text: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

const ETHERNET_LIMITS = [68, 65_535] as const;
const NO_LIMITS = [0, 0] as const;
/** The link address of a tunnel with no end of its own. */
export const NO_ADDRESS = '0.0.0.0';
const CHECKSUMS = 'udpcsum noudp6zerocsumtx noudp6zerocsumrx';

/** What follows in the order of `ip -d -j link`; no device here has other values. */
const QUEUES = {
  inet6_addr_gen_mode: 'eui64',
  num_tx_queues: 1,
  num_rx_queues: 1,
  gso_max_size: 65_536,
  gso_max_segs: 65_535,
  tso_max_size: 524_280,
  tso_max_segs: 65_535,
  gro_max_size: 65_536,
} as const;
/** What the text calls other than JSON does. */
const TEXT_NAMES: Readonly<Record<string, string>> = {
  inet6_addr_gen_mode: 'addrgenmode',
  num_tx_queues: 'numtxqueues',
  num_rx_queues: 'numrxqueues',
  root_id: 'designated_root',
};

/** `master`: the bridge that it is a port of. */
export function linkDetails({ host }: ShownNamespace, device: NetDevice, master?: BridgeDevice): LinkDetails {
  const mtuLimits = device.kind === 'loopback' ? NO_LIMITS : ETHERNET_LIMITS;
  return { mtuLimits, kind: kindDetails(host, device), slave: slaveDetails(device, master) };
}

/** The rest of the line of the link address, and those that follow it. */
export function detailsText({ mtuLimits: [least, most], kind, slave }: LinkDetails): string[] {
  const groups = slave === undefined ? 'promiscuity 0  allmulti 0' : 'promiscuity 1  allmulti 1';
  const lines = [`${groups} minmtu ${least} maxmtu ${most} `];
  for (const each of [kind, slave]) if (each !== undefined) lines.push(`${each.text} `);
  lines[lines.length - 1] += `${textOf(QUEUES)} `;
  return lines;
}

export function detailsJson({ mtuLimits, kind, slave }: LinkDetails): Record<string, unknown> {
  const of = (name: string, details: KindDetails | undefined) =>
    details === undefined
      ? {}
      : { [`info_${name}kind`]: kindOf(details), ...(details.data ? { [`info_${name}data`]: details.data } : {}) };
  const linkinfo = { ...of('', kind), ...of('slave_', slave) };
  return {
    promiscuity: slave === undefined ? 0 : 1,
    allmulti: slave === undefined ? 0 : 1,
    min_mtu: mtuLimits[0],
    max_mtu: mtuLimits[1],
    ...(kind === undefined ? {} : { linkinfo }),
    ...QUEUES,
  };
}

function kindOf({ text }: KindDetails): string {
  return text.split(/[ _]/)[0]!;
}

/** What JSON has of a kind, as the text says it. */
function textOf(data: Readonly<Record<string, unknown>>): string {
  const words = (value: unknown) => (typeof value === 'boolean' ? (value ? 'on' : 'off') : `${value}`);
  return Object.entries(data)
    .map(([name, value]) => `${TEXT_NAMES[name] ?? name} ${words(value)}`)
    .join(' ');
}

function kindDetails(host: Host, device: NetDevice): KindDetails | undefined {
  if (device instanceof VxlanDevice) return vxlanDetails(host, device);
  if (device instanceof WeaveOverlay) return externalVxlan(6784);
  if (device instanceof CiliumVxlanDevice) return externalVxlan(8472);
  if (device instanceof GeneveDevice) return { text: `geneve external id 0 ttl auto dstport ${geneve.PORT} udpcsum` };
  if (device instanceof BridgeDevice) return bridgeDetails(device);
  if (device instanceof IpipDevice) {
    const [remote, local] = [tunnelEnd(device, 'remote'), tunnelEnd(device, 'local')];
    const ends = device.remote === null ? 'remote any local any' : `remote ${remote} local ${local}`;
    return { text: `ipip ipip ${ends} ttl inherit nopmtudisc` };
  }
  switch (device.kind) {
    case 'wireguard':
    case 'veth':
    case 'dummy':
      return { text: device.kind };
    case 'tun':
      return { text: 'tun type tun pi off vnet_hdr off persist off' };
    default:
      return undefined;
  }
}

function vxlanDetails(host: Host, { vni, port }: VxlanDevice): KindDetails {
  const local = host.addresses().find(({ device, address }) => device.kind === 'ethernet' && !isIpv6(address));
  const address = local === undefined ? undefined : formatIpv4(local.address);
  const source = local === undefined ? '' : `local ${address} dev ${local.device.name} `;
  return {
    text: `vxlan id ${vni} ${source}srcport 0 0 dstport ${port} nolearning ttl auto ageing 300 ${CHECKSUMS}`,
    data: {
      id: vni,
      local: address,
      link: local?.device.name,
      port_range: { low: 0, high: 0 },
      port,
      learning: false,
      ttl: 0,
      df: 'unset',
      ageing: 300,
      udp_csum: true,
      udp_zero_csum6_tx: false,
      udp_zero_csum6_rx: false,
    },
  };
}

function externalVxlan(port: number): KindDetails {
  return { text: `vxlan external dstport ${port} nolearning ttl auto ageing 300 ${CHECKSUMS}` };
}

function bridgeDetails(bridge: BridgeDevice): KindDetails {
  const id = bridgeId(bridge);
  const data = {
    forward_delay: 1500,
    hello_time: 200,
    max_age: 2000,
    ageing_time: FDB_AGEING_US / 10_000,
    stp_state: 0,
    priority: 32_768,
    vlan_filtering: 0,
    bridge_id: id,
    root_id: id,
    root_port: 0,
    root_path_cost: 0,
    topology_change: 0,
    topology_change_detected: 0,
    nf_call_iptables: bridge.callIptables ? 1 : 0,
  };
  return { text: `bridge ${textOf(data)}`, data };
}

/** `8000.ae:58:34:b:f:24` */
function bridgeId({ macAddress }: BridgeDevice): string {
  return `8000.${formatMac(macAddress).replace(/\b0(?=[0-9a-f])/g, '')}`;
}

function slaveDetails(device: NetDevice, master: BridgeDevice | undefined): KindDetails | undefined {
  const port = master?.ports.get(device);
  if (port === undefined) return undefined;
  const data = {
    state: 'forwarding',
    priority: 32,
    cost: 2,
    hairpin: port.hairpin,
    guard: false,
    root_block: false,
    fastleave: false,
    learning: true,
    flood: true,
  };
  return { text: `bridge_slave ${textOf(data)}`, data };
}

/** A tunnel with many ends has no link addresses. */
export function tunnelEnd(device: NetDevice, end: 'local' | 'remote'): string {
  const hasOne = device instanceof IpipDevice && device.remote !== null;
  return hasOne ? formatIpv4(device[end] ?? 0) : NO_ADDRESS;
}
