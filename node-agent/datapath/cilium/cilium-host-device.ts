/**
 * `cilium_host`: what the node's stack routes to pods arrives here, and the program at the device sends it where it goes, as the
 * original's bpf_host does. No neighbour is asked for: MAC addresses come from the endpoint map.
 *
 *   route 10.244.1.0/24 via 10.244.1.2 dev cilium_host -> endpoint map -> lxc...   a pod of this node
 *   route 10.244.2.0/24 via 10.244.1.2 dev cilium_host -> tunnel map   -> cilium_vxlan | cilium_geneve
 */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import type { Engine } from '../../../shared/netstack/engine.ts';
import type { DropReason } from '../../../shared/netstack/hooks.ts';
import type { Host } from '../../../shared/netstack/host.ts';
import { VethDevice, type VethOptions } from '../../../shared/netstack/veth.ts';
import * as ethernet from '../../../shared/wire/ethernet.ts';
import * as ipv4 from '../../../shared/wire/ipv4.ts';
import type { Packet } from '../../../shared/wire/packet-memory.ts';
import type { FrameObserver } from '../frame-observer.ts';
import { transmitFrame } from '../transmit-frame.ts';

/** The address is in the node's pod CIDR, and no pod has it; or it is another node's, and no tunnel leads there. */
const NO_ENDPOINT: DropReason = Object.freeze({ code: 'cilium-no-endpoint' });

/** A pod here. */
export interface Endpoint {
  readonly device: NetDevice;
  readonly podMac: number;
}

export class CiliumHostDevice extends VethDevice {
  observer: FrameObserver | null = null;
  /** By address (`cilium_lxc`). */
  readonly endpoints = new Map<number, Endpoint>();
  private readonly host: Host;
  /** null where the other nodes' pods are routed to. */
  private readonly tunnel: NetDevice | null;

  constructor(engine: Engine, host: Host, tunnel: NetDevice | null, options: VethOptions) {
    super(engine, host.memory, options);
    this.host = host;
    this.tunnel = tunnel;
  }

  override transmitNow(frame: Packet): void {
    const { view } = this.host.memory;
    this.counters.txPackets++;
    this.counters.txBytes += frame.length;
    this.observer?.frame('sent', this, frame);
    this.tap?.frame(this, frame, true);
    const isIpv4 = ethernet.type(view, frame.offset) === ethernet.TYPE_IPV4;
    const endpoint = isIpv4 ? this.endpoints.get(destinationOf(view, frame)) : undefined;
    if (endpoint !== undefined) {
      const { device, podMac } = endpoint;
      ethernet.encode(view, frame.offset, podMac, device.macAddress, ethernet.TYPE_IPV4);
      transmitFrame(this.host, frame, device);
    } else if (this.tunnel !== null && isIpv4) transmitFrame(this.host, frame, this.tunnel);
    else this.host.drop(frame, NO_ENDPOINT, this.name);
  }
}

export function destinationOf(view: DataView, frame: Packet): number {
  return ipv4.destination(view, frame.offset + ethernet.HEADER_BYTES);
}
