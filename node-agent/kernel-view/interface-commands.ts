/** `ifconfig` and `netstat -i` (net-tools), `ethtool`, `tc qdisc`: a namespace's devices as older and lower tools show them. */
import type { NetDevice } from '../../shared/netstack/device.ts';
import type { Host } from '../../shared/netstack/host.ts';
import { formatIpv4, formatMac, prefixMask } from '../../shared/wire/address.ts';
import { formatAddress } from '../../shared/wire/ip-address.ts';
import { isIpv6 } from '../../shared/wire/ipv6-table.ts';
import { hasCarrier } from '../datapath/show/carrier.ts';
import type { ShownNamespace } from '../datapath/show/namespace.ts';
import { type CommandOutput, failed, printed } from './command-output.ts';
import { offloadText } from './device-features.ts';

const LOOPBACK_MTU_BYTES = 65_536;

function mtuOf({ kind, mtuBytes }: NetDevice): number {
  return kind === 'loopback' ? LOOPBACK_MTU_BYTES : mtuBytes;
}

/** `ifconfig [-a] [DEVICE]`; addresses are changed with `ip`. */
export function ifconfigCommand(namespace: ShownNamespace, words: readonly string[]): CommandOutput {
  const [name, change] = words.filter((word) => !word.startsWith('-'));
  if (change !== undefined) return failed('ifconfig: podwire shows devices here; `ip` changes them', 1);
  const devices = namespace.devices.filter((device) =>
    name === undefined ? device.up || words.includes('-a') : device.name === name,
  );
  if (name !== undefined && devices.length === 0) {
    return failed(`${name}: error fetching interface information: Device not found`);
  }
  return printed(
    [...devices]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((device) => `${ifconfigText(namespace.host, device)}\n`)
      .join(''),
  );
}

/** include/uapi/linux/if.h */
const FLAG_BITS = {
  UP: 1,
  BROADCAST: 2,
  LOOPBACK: 8,
  POINTOPOINT: 16,
  RUNNING: 64,
  NOARP: 128,
  MULTICAST: 4096,
} as const;
const SCOPES = { global: '0x0<global>', link: '0x20<link>', host: '0x10<host>' } as const;

function ifconfigText(host: Host, device: NetDevice): string {
  const flags = flagsOf(device);
  const bits = flags.reduce((sum, flag) => sum + FLAG_BITS[flag], 0);
  const addresses = host.addresses().filter((assigned) => assigned.device === device);
  const lines = [`${device.name}: flags=${bits}<${flags.join(',')}>  mtu ${mtuOf(device)}`];
  for (const { address, prefixLength, broadcast, scope } of addresses) {
    if (isIpv6(address))
      lines.push(`inet6 ${formatAddress(address)}  prefixlen ${prefixLength}  scopeid ${SCOPES[scope]}`);
    else {
      const tail = device.kind === 'loopback' ? '' : `  broadcast ${formatIpv4(broadcast)}`;
      lines.push(`inet ${formatIpv4(address)}  netmask ${formatIpv4(prefixMask(prefixLength))}${tail}`);
    }
  }
  lines.push(hardwareText(device), ...ifconfigCounters(device));
  return `${lines.join('\n        ')}\n`;
}

/** In net-tools' order. */
function flagsOf(device: NetDevice): (keyof typeof FLAG_BITS)[] {
  const { kind } = device;
  const state: (keyof typeof FLAG_BITS)[] = device.up ? ['UP'] : [];
  const running: (keyof typeof FLAG_BITS)[] = device.up && hasCarrier(device) ? ['RUNNING'] : [];
  if (kind === 'loopback') return [...state, 'LOOPBACK', ...running];
  if (kind === 'ipip') return [...state, ...running, 'NOARP'];
  if (kind === 'tun' || kind === 'wireguard') return [...state, 'POINTOPOINT', ...running, 'NOARP'];
  return [...state, 'BROADCAST', ...running, 'MULTICAST'];
}

function hardwareText({ kind, macAddress }: NetDevice): string {
  if (kind === 'loopback') return 'loop  txqueuelen 1000  (Local Loopback)';
  if (kind === 'ipip') return 'tunnel   txqueuelen 1000  (IPIP Tunnel)';
  if (kind === 'tun' || kind === 'wireguard') {
    return 'unspec 00-00-00-00-00-00-00-00-00-00-00-00-00-00-00-00  txqueuelen 1000  (UNSPEC)';
  }
  const queue = kind === 'veth' || kind === 'vxlan' ? 0 : 1000;
  return `ether ${formatMac(macAddress)}  txqueuelen ${queue}  (Ethernet)`;
}

function ifconfigCounters({ counters }: NetDevice): string[] {
  const { rxPackets, rxBytes, rxDropped, txPackets, txBytes, txDropped } = counters;
  return [
    `RX packets ${rxPackets}  bytes ${rxBytes} (${sizeText(rxBytes)})`,
    `RX errors 0  dropped ${rxDropped}  overruns 0  frame 0`,
    `TX packets ${txPackets}  bytes ${txBytes} (${sizeText(txBytes)})`,
    `TX errors 0  dropped ${txDropped} overruns 0  carrier 0  collisions 0`,
  ];
}

function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = bytes;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${value.toFixed(1)} ${units[unit]}`;
}

/** `netstat -i` */
export function interfaceTable(host: Host): string {
  const rows = [...host.interfaces.keys()]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((device) => {
      const { rxPackets, rxDropped, txPackets, txDropped } = device.counters;
      const cell = (value: number, width: number): string => String(value).padStart(width);
      const received = `${cell(rxPackets, 8)} ${cell(0, 6)} ${cell(rxDropped, 6)} ${String(0).padEnd(6)}`;
      const sent = `${cell(txPackets, 8)} ${cell(0, 6)} ${cell(txDropped, 6)} ${cell(0, 6)}`;
      const letters = device.kind === 'loopback' ? 'LRU' : 'BMRU';
      return `${device.name.padEnd(16)}${cell(mtuOf(device), 5)} ${received} ${sent} ${letters}\n`;
    });
  const headings = 'Iface             MTU    RX-OK RX-ERR RX-DRP RX-OVR    TX-OK TX-ERR TX-DRP TX-OVR Flg';
  return `Kernel Interface table\n${headings}\n${rows.join('')}`;
}

const DRIVERS: Readonly<Partial<Record<NetDevice['kind'], string>>> = { ethernet: 'virtio_net', ipip: 'ipip' };

/** `ethtool [-i|-S|-k] DEVICE` */
export function ethtoolCommand({ devices }: ShownNamespace, words: readonly string[]): CommandOutput {
  const name = words.find((word) => !word.startsWith('-'));
  if (name === undefined) return failed('ethtool: bad command line argument(s)\nFor more information run ethtool -h');
  const device = devices.find((candidate) => candidate.name === name);
  if (device === undefined) return failed('netlink error: No such device\nNo data available', 75);
  if (words.includes('-k') || words.includes('--show-features') || words.includes('--show-offload')) {
    return printed(offloadText(device));
  }
  if (words.includes('-i') || words.includes('--driver')) return printed(driverText(device));
  if (words.includes('-S') || words.includes('--statistics')) return printed(statisticsText(device));
  if (words.some((word) => word.startsWith('-'))) return failed('netlink error: Operation not supported', 75);
  const link = `\tLink detected: ${device.up && hasCarrier(device) ? 'yes' : 'no'}\n`;
  if (device.kind !== 'veth') return printed(`Settings for ${name}:\n${link}`);
  const settings = [
    'Speed: 10000Mb/s',
    'Duplex: Full',
    'Auto-negotiation: off',
    'Port: Twisted Pair',
    'PHYAD: 0',
    'Transceiver: internal',
    'MDI-X: Unknown',
  ];
  return printed(`Settings for ${name}:\n${settings.map((line) => `\t${line}\n`).join('')}${link}`);
}

function driverText({ kind }: NetDevice): string {
  const hasStatistics = kind === 'veth' || kind === 'ethernet' ? 'yes' : 'no';
  return (
    `driver: ${DRIVERS[kind] ?? kind}\nversion: 1.0\nfirmware-version: \nexpansion-rom-version: \nbus-info: \n` +
    `supports-statistics: ${hasStatistics}\nsupports-test: no\nsupports-eeprom-access: no\nsupports-register-dump: no\nsupports-priv-flags: no\n`
  );
}

/** The counters of `ip -s link`; a driver's own are none here. */
function statisticsText({ counters }: NetDevice): string {
  const { rxPackets, rxBytes, rxDropped, txPackets, txBytes, txDropped } = counters;
  const values = {
    rx_packets: rxPackets,
    rx_bytes: rxBytes,
    rx_drops: rxDropped,
    tx_packets: txPackets,
    tx_bytes: txBytes,
    tx_drops: txDropped,
  };
  return `NIC statistics:\n${Object.entries(values)
    .map(([name, value]) => `     ${name}: ${value}\n`)
    .join('')}`;
}

/** `tc qdisc [show] [dev DEVICE]`: faults of links are set with `podwire link set`. */
export function tcCommand({ devices }: ShownNamespace, words: readonly string[]): CommandOutput {
  const [object, verb = 'show', ...rest] = words.filter((word) => !word.startsWith('-'));
  if (object === undefined || !'qdisc'.startsWith(object))
    return failed(`Object "${object ?? ''}" is unknown, try "tc help".`);
  if (!('show'.startsWith(verb) || 'list'.startsWith(verb) || verb === 'ls')) {
    return failed('podwire: `podwire link set` gives links delay, loss and a rate; tc shows qdiscs here', 2);
  }
  const name = rest[rest.indexOf('dev') + 1];
  const shown = rest.includes('dev') ? devices.filter((device) => device.name === name) : devices;
  if (rest.includes('dev') && shown.length === 0) return failed(`Cannot find device "${name ?? ''}"`);
  const lines = shown.map((device) => {
    const where = rest.includes('dev') ? '' : `dev ${device.name} `;
    if (device.kind !== 'ethernet') return `qdisc noqueue 0: ${where}root refcnt 2 \n`;
    return `qdisc fq_codel 0: ${where}root refcnt 2 limit 10240p flows 1024 quantum 1514 target 5ms interval 100ms memory_limit 32Mb ecn drop_batch 64 \n`;
  });
  return printed(lines.join(''));
}
