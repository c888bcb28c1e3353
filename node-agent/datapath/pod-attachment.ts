/** A pod on the node: its namespace, the cable to the bridge, and its routes; what the CNI plugin `bridge` does. */

import { Host, type HostOptions } from '../../shared/netstack/host.ts';
import type { VethDevice } from '../../shared/netstack/veth.ts';
import { createVethPair } from '../../shared/netstack/veth.ts';
import { macOfIpv4 } from '../../shared/wire/address.ts';
import { addressPlus, type IpPrefix } from '../../shared/wire/ip-address.ts';
import { ANY_IPV6 } from '../../shared/wire/ipv6-address.ts';
import type { BridgeDevice } from './bridge.ts';

export interface PodAttachOptions {
  /** For messages and traces: `default/web-0`. */
  readonly id: string;
  readonly address: number;
  /** Of a dual-stack pod. */
  readonly addressIpv6?: number;
  /** `0a:58` and the address by default, as CNI makes it. */
  readonly macAddress?: number;
  /** `veth` and 8 hexadecimal digits; chosen at random by default. */
  readonly hostDeviceName?: string;
}

export interface PodAttachment {
  readonly id: string;
  readonly address: number;
  readonly addressIpv6: number | undefined;
  readonly host: Host;
  /** The end of the cable that is a port of the bridge. */
  readonly hostDevice: VethDevice;
  /** The end in the pod: `eth0`. */
  readonly podDevice: VethDevice;
  /** Unplugs the pod: device, port and FDB entries go; connections stay in conntrack until they expire, as in Linux. */
  detach(): void;
}

export interface PodWiring {
  readonly bridge: BridgeDevice;
  readonly gateway: number;
  readonly podCidr: IpPrefix;
  /** null where the pod's own network is all of it. */
  readonly clusterCidr: IpPrefix | null;
  /** null on a node without. */
  readonly podCidrIpv6: IpPrefix | null;
  readonly hostDeviceIndex: number;
  readonly hostDeviceName: string;
  readonly hostDeviceMac: number;
  readonly mtuBytes: number;
}

/** In the pod `lo` is 1 and `eth0` is 2. */
const POD_DEVICE_INDEX = 2;

export function attachPod(
  wiring: PodWiring,
  pod: PodAttachOptions,
  hostOptions: HostOptions,
  detached: () => void,
): PodAttachment {
  const { bridge, gateway, mtuBytes } = wiring;
  const host = new Host(hostOptions);
  const [hostDevice, podDevice] = createVethPair(
    hostOptions.engine,
    hostOptions.memory,
    { name: wiring.hostDeviceName, index: wiring.hostDeviceIndex, macAddress: wiring.hostDeviceMac, mtuBytes },
    { name: 'eth0', index: POD_DEVICE_INDEX, macAddress: pod.macAddress ?? macOfIpv4(pod.address), mtuBytes },
  );
  bridge.addPort(hostDevice, true);
  host.addDevice(podDevice);
  host.addAddress(podDevice, pod.address, wiring.podCidr.prefixLength);
  host.routes.add({ destination: 0, prefixLength: 0, gateway, device: podDevice });
  if (wiring.clusterCidr !== null) host.routes.add({ ...prefixOf(wiring.clusterCidr), gateway, device: podDevice });
  if (pod.addressIpv6 !== undefined && wiring.podCidrIpv6 !== null) {
    host.addAddress(podDevice, pod.addressIpv6, wiring.podCidrIpv6.prefixLength);
    const router = addressPlus(wiring.podCidrIpv6.address, 1);
    host.routes.add({ destination: ANY_IPV6, prefixLength: 0, gateway: router, device: podDevice });
  }
  return {
    id: pod.id,
    address: pod.address,
    addressIpv6: pod.addressIpv6,
    host,
    hostDevice,
    podDevice,
    detach: () => {
      if (hostDevice.peer === null) return;
      bridge.removePort(hostDevice);
      host.removeDevice(podDevice);
      hostDevice.delete();
      detached();
    },
  };
}

function prefixOf(prefix: IpPrefix): { destination: number; prefixLength: number } {
  return { destination: prefix.address, prefixLength: prefix.prefixLength };
}
