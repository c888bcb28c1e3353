/**
 * A pod behind a route: its namespace and its cable, whose other end is a device of the node's own and no port of a bridge.
 *
 *   pod eth0 10.244.1.5/32, default via GATEWAY -- cable -- device of the node, which answers ARP for the gateway
 */
import { Host } from '../../../shared/netstack/host.ts';
import { createVethPair, type VethDevice } from '../../../shared/netstack/veth.ts';
import { macOfIpv4 } from '../../../shared/wire/address.ts';
import { addressBits } from '../../../shared/wire/ip-address.ts';
import type { PodAttachment, PodAttachOptions } from '../pod-attachment.ts';
import type { NetworkParts } from './node-network.ts';

export interface PodCable {
  /** Of the node's end, unless the pod's options name it. */
  readonly hostDeviceName: string;
  readonly hostMac: number;
  readonly mtuBytes: number;
  /** The pod's only neighbour. */
  readonly gateway: number;
  /** Of the pod's default route, where that is less than the cable's; 0 otherwise. */
  readonly routeMtuBytes?: number;
}

/** In the pod `lo` is 1 and `eth0` is 2. */
const POD_DEVICE_INDEX = 2;

/** `detached` is told of the node's end once the pod is unplugged; its routes are gone by then. */
export function plugPod(
  parts: NetworkParts,
  pod: PodAttachOptions,
  cable: PodCable,
  detached: (hostDevice: VethDevice) => void,
): PodAttachment {
  const { engine, memory, root, drops, secret } = parts;
  const { hostMac, mtuBytes, gateway, routeMtuBytes } = cable;
  const host = new Host({ engine, memory, name: pod.id, observer: drops.of(pod.id), secret });
  const name = pod.hostDeviceName ?? cable.hostDeviceName;
  const macAddress = pod.macAddress ?? macOfIpv4(pod.address);
  const [hostDevice, podDevice] = createVethPair(
    engine,
    memory,
    { name, index: parts.nextIndex(), macAddress: hostMac, mtuBytes },
    { name: 'eth0', index: POD_DEVICE_INDEX, macAddress, mtuBytes },
  );
  root.addDevice(hostDevice);
  host.addDevice(podDevice);
  host.addAddress(podDevice, pod.address, addressBits(pod.address));
  host.routes.add({ destination: gateway, prefixLength: 32, device: podDevice, scope: 'link' });
  host.routes.add({ destination: 0, prefixLength: 0, gateway, device: podDevice, mtuBytes: routeMtuBytes });
  return {
    id: pod.id,
    address: pod.address,
    addressIpv6: undefined,
    host,
    hostDevice,
    podDevice,
    detach: () => {
      if (hostDevice.peer === null) return;
      root.removeDevice(hostDevice);
      host.removeDevice(podDevice);
      hostDevice.delete();
      detached(hostDevice);
    },
  };
}

/** `cali0123456789a`, `lxc0123456789ab`: as many digits as an interface's name has room for. */
export function cableName(prefix: string, digits: number, random: () => number): string {
  const number = Math.floor(random() * 16 ** digits).toString(16);
  return prefix + number.padStart(digits, '0');
}
