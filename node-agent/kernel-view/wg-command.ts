/** `wg show` (wireguard-tools) on a node. */
import type { NodeDatapath } from '../datapath/path.ts';
import { nodeNamespace } from '../datapath/show/namespace.ts';
import { allowedText, endpointText, formatWireguard, wireguardDevices } from '../datapath/show/wireguard.ts';
import type { WireguardDevice, WireguardPeer } from '../datapath/wireguard/wireguard-device.ts';
import { type CommandOutput, failed, printed } from './command-output.ts';

/** Of a device: one line. */
const DEVICE_FIELDS: Readonly<Record<string, (device: WireguardDevice) => string>> = {
  'public-key': ({ publicKey }) => publicKey,
  'private-key': () => '(hidden)',
  'listen-port': ({ listenPort }) => `${listenPort}`,
  fwmark: () => 'off',
};
/** Of each peer: what stands behind its key. */
const PEER_FIELDS: Readonly<Record<string, (peer: WireguardPeer) => readonly string[]>> = {
  peers: () => [],
  endpoints: (peer) => [endpointText(peer)],
  'allowed-ips': (peer) => [allowedText(peer, ' ')],
  transfer: ({ receivedBytes, sentBytes }) => [`${receivedBytes}`, `${sentBytes}`],
  'preshared-keys': () => ['(none)'],
  'persistent-keepalive': () => ['off'],
};
const FIELDS = [...Object.keys(DEVICE_FIELDS), ...Object.keys(PEER_FIELDS)].join(' | ');

export function wgCommand(datapath: NodeDatapath, words: readonly string[]): CommandOutput {
  const [command = 'show', name = 'all', field] = words;
  if (command !== 'show') return failed(`Invalid subcommand: \`${command}'\nUsage: wg show [INTERFACE [FIELD]]`);
  const devices = wireguardDevices(nodeNamespace(datapath));
  if (name === 'interfaces')
    return printed(devices.length === 0 ? '' : `${devices.map((one) => one.name).join(' ')}\n`);
  const chosen = devices.filter((device) => name === 'all' || device.name === name);
  if (chosen.length === 0 && name !== 'all') return failed('Unable to access interface: No such device');
  if (field === undefined) {
    const { nowUs } = datapath.root.engine;
    return printed(chosen.map((device) => formatWireguard(device, nowUs)).join('\n'));
  }
  const lines = chosen.flatMap((device) =>
    fieldLines(device, field).map((line) => (name === 'all' ? `${device.name}\t${line}\n` : `${line}\n`)),
  );
  const isKnown = field in DEVICE_FIELDS || field in PEER_FIELDS;
  if (!isKnown) {
    return failed(`Invalid parameter: \`${field}'\nUsage: wg show { <interface> | all | interfaces } [${FIELDS}]`);
  }
  return printed(lines.join(''));
}

function fieldLines(device: WireguardDevice, field: string): string[] {
  const ofDevice = DEVICE_FIELDS[field];
  if (ofDevice !== undefined) return [ofDevice(device)];
  const ofPeer = PEER_FIELDS[field];
  if (ofPeer === undefined) return [];
  return device.listPeers().map((peer) => [peer.publicKey, ...ofPeer(peer)].join('\t'));
}
