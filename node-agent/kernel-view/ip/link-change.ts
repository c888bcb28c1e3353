/** `ip link set DEVICE up|down|mtu N|master BRIDGE|nomaster` (ip-link(8)). */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import { setLinkUp } from '../../../shared/netstack/link-state.ts';
import { OVERHEAD_BYTES } from '../../../shared/wire/vxlan.ts';
import { BridgeDevice } from '../../datapath/bridge.ts';
import { masterOf, type ShownNamespace } from '../../datapath/show/namespace.ts';
import { argumentError, kernelError, rtnetlinkError, usageError } from './ip-error.ts';
import { deviceNamed, garbage, Words } from './words.ts';

/** Linux' ETH_MIN_MTU and ETH_MAX_MTU. */
const MIN_MTU_BYTES = 68;
const MAX_MTU_BYTES = 65_535;

/** Attributes that the emulated devices have for good. */
const FIXED = new Set([
  'address',
  'name',
  'arp',
  'promisc',
  'multicast',
  'allmulticast',
  'txqueuelen',
  'netns',
  'type',
]);

/** Read whole before anything is done, as iproute2 puts all of it in one message. */
export function setLink(namespace: ShownNamespace, given: readonly string[]): void {
  const words = new Words(given);
  const first = words.value();
  const device = deviceNamed(namespace, first === 'dev' ? words.value() : first);
  const changes: (() => void)[] = [];
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === 'up' || word === 'down') changes.push(() => setUp(namespace, device, word === 'up'));
    else if (word === 'mtu') changes.push(mtuChange(namespace, device, words.number('mtu')));
    else if (word === 'nomaster') changes.push(() => leaveMaster(namespace, device));
    else if (word === 'master') changes.push(masterChange(namespace, device, words.value()));
    else if (FIXED.has(word))
      throw argumentError(`podwire: ip link set changes up, down, mtu and master here, not ${word}`);
    else throw garbage('dev', word);
  }
  for (const change of changes) change();
}

function setUp(namespace: ShownNamespace, device: NetDevice, up: boolean): void {
  const { host } = namespace;
  const master = masterOf(namespace, device);
  if (!up) master?.forgetLearned(device);
  setLinkUp(host, device, up);
}

export function leaveMaster(namespace: ShownNamespace, device: NetDevice): void {
  masterOf(namespace, device)?.removePort(device);
  namespace.host.changes?.linkChanged(device);
}

/** Of an Ethernet device unless `leastBytes` says other. */
export function refuseMtu(mtuBytes: number, leastBytes = MIN_MTU_BYTES): void {
  if (mtuBytes < leastBytes) throw kernelError('mtu less than device minimum.');
  if (mtuBytes > MAX_MTU_BYTES) throw kernelError('mtu greater than device maximum.');
}

export function mtuChange({ host, devices }: ShownNamespace, device: NetDevice, mtuBytes: number): () => void {
  refuseMtu(mtuBytes, device.kind === 'loopback' ? 0 : MIN_MTU_BYTES);
  const carrier = device.kind === 'vxlan' ? devices.find(({ kind }) => kind === 'ethernet') : undefined;
  if (carrier !== undefined && mtuBytes > carrier.mtuBytes - OVERHEAD_BYTES) throw rtnetlinkError('Invalid argument');
  return () => {
    device.mtuBytes = mtuBytes;
    host.routes.generation++;
    host.changes?.linkChanged(device);
  };
}

function masterChange(namespace: ShownNamespace, device: NetDevice, name: string): () => void {
  const master = namespace.devices.find((candidate) => candidate.name === name);
  if (master === undefined) throw usageError(`Error: argument "${name}" is wrong: Device does not exist\n`);
  if (!(master instanceof BridgeDevice)) throw rtnetlinkError('Operation not supported');
  if (device.kind !== 'veth') throw rtnetlinkError('Invalid argument');
  return () => {
    const present = masterOf(namespace, device);
    if (present === master) return;
    present?.removePort(device);
    master.addPort(device, false);
    namespace.host.changes?.linkChanged(device);
  };
}
