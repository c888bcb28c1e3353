/** `wg show` (wireguard-tools): the encrypted tunnels of a namespace with their peers. */
import { formatEndpoint, formatPrefix } from '../../../shared/wire/ip-address.ts';
import { WireguardDevice, type WireguardPeer } from '../wireguard/wireguard-device.ts';
import { asText } from './link.ts';
import type { ShownNamespace } from './namespace.ts';

const SECOND_US = 1_000_000;

export function wireguardDevices(namespace: ShownNamespace): WireguardDevice[] {
  return namespace.devices.filter((device) => device instanceof WireguardDevice);
}

/** One device; the peers heard of last come first. */
export function formatWireguard(device: WireguardDevice, nowUs: number): string {
  const lines = [
    `interface: ${device.name}`,
    `  public key: ${device.publicKey}`,
    '  private key: (hidden)',
    `  listening port: ${device.listenPort}`,
  ];
  const peers = device.listPeers().sort((a, b) => (b.handshakeUs ?? -1) - (a.handshakeUs ?? -1));
  for (const peer of peers) lines.push('', ...peerLines(peer, nowUs));
  return asText(lines);
}

function peerLines(peer: WireguardPeer, nowUs: number): string[] {
  const { receivedBytes, sentBytes, handshakeUs } = peer;
  const lines = [
    `peer: ${peer.publicKey}`,
    `  endpoint: ${endpointText(peer)}`,
    `  allowed ips: ${allowedText(peer, ', ')}`,
  ];
  if (handshakeUs !== null) lines.push(`  latest handshake: ${ago(Math.floor((nowUs - handshakeUs) / SECOND_US))}`);
  if (receivedBytes > 0 || sentBytes > 0) {
    lines.push(`  transfer: ${bytesText(receivedBytes)} received, ${bytesText(sentBytes)} sent`);
  }
  return lines;
}

export function endpointText({ endpoint }: WireguardPeer): string {
  return formatEndpoint(endpoint.address, endpoint.port);
}

export function allowedText({ allowedIps }: WireguardPeer, separator: string): string {
  return allowedIps.length === 0 ? '(none)' : allowedIps.map(formatPrefix).join(separator);
}

/** `1 day, 1 hour, 1 minute, 1 second ago` */
function ago(seconds: number): string {
  if (seconds <= 0) return 'Now';
  const units = [
    ['year', 31_536_000],
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
    ['second', 1],
  ] as const;
  const parts: string[] = [];
  let left = seconds;
  for (const [name, size] of units) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push(`${count} ${name}${count === 1 ? '' : 's'}`);
  }
  return `${parts.join(', ')} ago`;
}

function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes / 1024;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${value.toFixed(2)} ${units[unit]}`;
}
