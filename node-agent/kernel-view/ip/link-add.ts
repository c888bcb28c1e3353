/** `ip link add [[name] NAME] [mtu N] [address MAC] [up] type bridge|dummy|veth` and `ip link del` (ip-link(8)). */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import { setLinkUp } from '../../../shared/netstack/link-state.ts';
import { createVethPair, VethDevice } from '../../../shared/netstack/veth.ts';
import { isGroup } from '../../../shared/wire/ethernet.ts';
import { BridgeDevice } from '../../datapath/bridge.ts';
import { randomMac } from '../../datapath/device-identity.ts';
import { DummyDevice } from '../../datapath/ipvs/dummy-device.ts';
import { nearPeer, type ShownNamespace } from '../../datapath/show/namespace.ts';
import { argumentError, kernelError, rtnetlinkError, usageError } from './ip-error.ts';
import { leaveMaster, mtuChange, refuseMtu } from './link-change.ts';
import { deviceNamed, Words } from './words.ts';

/** Linux' IFNAMSIZ, its end included. */
const MAX_NAME_LENGTH = 15;
const DEFAULT_MTU_BYTES = 1500;
/** Kinds that Linux knows and that have no emulation but as the CNI plugin's. */
const OTHER_TYPES = new Set([
  ...['vxlan', 'geneve', 'ipip', 'sit', 'gre', 'gretap', 'ip6tnl', 'wireguard', 'vlan', 'macvlan', 'ipvlan'],
  ...['bond', 'ifb', 'vrf', 'tun', 'team', 'erspan', 'macsec', 'nlmon', 'vti', 'xfrm'],
]);
/** Kinds that can be made; a device that is given no name has its kind's and a number. */
const MADE_TYPES: ReadonlySet<string> = new Set(['veth', 'dummy', 'bridge']);

/** What an administrator made, and may take away; all others are the CNI plugin's. */
const made = new WeakSet<NetDevice>();

interface SaidOfLink {
  name?: string;
  mtuBytes?: number;
  macAddress?: number;
  up?: boolean;
}

export function addLink(namespace: ShownNamespace, given: readonly string[]): void {
  const words = new Words(given);
  const said: SaidOfLink = {};
  const type = readLink(said, words);
  if (type === undefined) throw argumentError('Not enough information: "type" argument is required');
  if (!MADE_TYPES.has(type)) {
    throw OTHER_TYPES.has(type) ? rtnetlinkError('Operation not supported') : kernelError('Unknown device type.');
  }
  const peer = type === 'veth' ? readPeer(words) : undefined;
  if (type !== 'veth') refuseMore(words, type);
  for (const end of [said, ...(peer === undefined ? [] : [peer])]) refuseAttributes(type, end);
  const name = freeName(namespace, said.name, type);
  const devices = peer === undefined ? [create(namespace, type, name, said)] : createPair(namespace, name, said, peer);
  const { host } = namespace;
  for (const device of devices) {
    device.up = false;
    made.add(device);
    host.addDevice(device);
  }
  namespace.devicesChanged();
  configure(namespace, devices.at(-1)!, said);
  if (peer !== undefined) configure(namespace, devices[0]!, peer);
}

function configure(namespace: ShownNamespace, device: NetDevice, { mtuBytes, up }: SaidOfLink): void {
  const { host } = namespace;
  if (mtuBytes !== undefined) mtuChange(namespace, device, mtuBytes)();
  if (up) setLinkUp(host, device, true);
  host.changes?.linkChanged(device);
}

/** Before anything is made. */
function refuseAttributes(type: string, { mtuBytes, macAddress }: SaidOfLink): void {
  if (macAddress !== undefined && (macAddress === 0 || isGroup(macAddress))) {
    throw rtnetlinkError('Cannot assign requested address');
  }
  if (mtuBytes === undefined) return;
  try {
    refuseMtu(mtuBytes);
  } catch (error) {
    // Of a cable the kernel does not say why.
    throw type === 'veth' ? rtnetlinkError('Invalid argument') : error;
  }
}

export function deleteLink(namespace: ShownNamespace, given: readonly string[]): void {
  const words = new Words(given);
  let name: string | undefined;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === 'type') words.value();
    else name = word === 'dev' ? words.value() : word;
  }
  if (name === undefined) throw usageError('Not enough information: "dev" argument is required.');
  const device = deviceNamed(namespace, name);
  if (!made.has(device)) throw rtnetlinkError('Operation not supported');
  const { host } = namespace;
  const other = nearPeer(namespace, device);
  for (const end of other === undefined ? [device] : [device, other]) {
    leaveMaster(namespace, end);
    if (end instanceof BridgeDevice) for (const port of [...end.ports.keys()]) leaveMaster(namespace, port);
    host.removeDevice(end);
  }
  if (device instanceof VethDevice) device.delete();
  namespace.devicesChanged();
  host.changes?.linkChanged(device);
}

/** As far as `type KIND`, which is returned; what follows is the kind's. */
function readLink(said: SaidOfLink, words: Words): string | undefined {
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === 'type') return words.value();
    readAttribute(said, words, word);
  }
  return undefined;
}

function readAttribute(said: SaidOfLink, words: Words, word: string): void {
  if (word === 'name' || word === 'dev') said.name = interfaceName(words.value(), 'name');
  else if (word === 'mtu') said.mtuBytes = words.number('mtu');
  else if (word === 'address') said.macAddress = words.mac();
  else if (word === 'up') said.up = true;
  else if (word === 'numtxqueues' || word === 'numrxqueues' || word === 'txqueuelen') words.number(word);
  else if (word !== 'down') said.name = interfaceName(word, 'dev');
}

/** What iproute2 itself refuses; it leaves the length of a name without `name` before it to the kernel. */
function interfaceName(word: string, option: 'name' | 'dev'): string {
  const tooLong = option === 'name' && word.length > MAX_NAME_LENGTH;
  if (word !== '' && !/[/\s]/.test(word) && !tooLong) return word;
  throw usageError(`Error: argument "${word}" is wrong: "${option}" not a valid ifname`);
}

/** `[peer [name] NAME [address MAC] ...]` */
function readPeer(words: Words): SaidOfLink {
  const said: SaidOfLink = {};
  const first = words.next();
  if (first === undefined) return said;
  if (first !== 'peer')
    throw argumentError(
      `veth: unknown command "${first}"?\nUsage: ip link <options> type veth [peer <options>]\nTo get <options> type 'ip link add help'`,
    );
  for (let word = words.next(); word !== undefined; word = words.next()) readAttribute(said, words, word);
  return said;
}

/** Of a bridge or a dummy no attribute can be set. */
function refuseMore(words: Words, type: string): void {
  const word = words.next();
  if (word !== undefined) {
    throw argumentError(`podwire: of a ${type} that is made here nothing can be set, not ${word}`);
  }
}

/** The name that was asked for, or the kernel's next for the type. */
function freeName({ devices }: ShownNamespace, asked: string | undefined, type: string, taken?: string): string {
  const isTaken = (name: string): boolean => name === taken || devices.some((device) => device.name === name);
  if (asked === undefined) {
    for (let number = 0; ; number++) if (!isTaken(`${type}${number}`)) return `${type}${number}`;
  }
  if (asked.length > MAX_NAME_LENGTH) throw kernelError('Attribute failed policy validation.');
  if (asked.includes(':') || asked === '.' || asked === '..') throw rtnetlinkError('Invalid argument');
  if (isTaken(asked)) throw rtnetlinkError('File exists');
  return asked;
}

function create(namespace: ShownNamespace, type: string, name: string, { macAddress }: SaidOfLink): NetDevice {
  const { host, bridgePorts, nextIndex } = namespace;
  const { engine, memory } = host;
  const mac = macAddress ?? randomMac(engine.random);
  if (type === 'dummy') return new DummyDevice(name, nextIndex(), mac, memory);
  const common = { engine, memory, host, name, index: nextIndex(), macAddress: mac };
  return new BridgeDevice({ ...common, mtuBytes: DEFAULT_MTU_BYTES, rulePorts: bridgePorts });
}

/** The peer first, as in Linux. */
function createPair(namespace: ShownNamespace, name: string, said: SaidOfLink, peer: SaidOfLink): NetDevice[] {
  const { host, nextIndex } = namespace;
  const { engine, memory } = host;
  const end = (endName: string, { macAddress }: SaidOfLink) => {
    return { name: endName, index: nextIndex(), macAddress: macAddress ?? randomMac(engine.random) };
  };
  const peerName = freeName(namespace, peer.name, 'veth', name);
  return createVethPair(engine, memory, end(peerName, peer), end(name, said));
}
