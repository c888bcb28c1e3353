/** Where a packet comes out of a tunnel whose outer packets were the node's own, and enters the node by the tunnel's device. */
import type { NetDevice } from '../../shared/netstack/device.ts';
import * as drop from '../../shared/netstack/drop-reasons.ts';
import type { Host } from '../../shared/netstack/host.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';
import type { FrameObserver } from './frame-observer.ts';

interface TunnelEnd extends NetDevice {
  readonly observer: FrameObserver | null;
}

/** What the node knew of the outer packet is not true of the inner one. */
export function forgetOuter(packet: Packet): void {
  packet.connection = null;
  packet.mark = 0;
  packet.checksumTrusted = false;
}

/** An IP packet gets the empty header that frames of a device without link addresses have. */
export function frameInner(host: Host, packet: Packet, etherType: number): void {
  forgetOuter(packet);
  packet.prepend(ethernet.HEADER_BYTES);
  ethernet.encode(host.memory.view, packet.offset, 0, 0, etherType);
}

/**
 * `countedBytes`: of the frame, or of the packet in it where the device has no link layer; `peer`: the node's address at the
 * other end. Takes ownership.
 */
export function receiveInner(host: Host, device: TunnelEnd, frame: Packet, countedBytes: number, peer?: number): void {
  if (!device.up || device.upcall === null) {
    device.counters.rxDropped++;
    host.drop(frame, drop.DEVICE_DOWN, device.name);
    return;
  }
  device.counters.rxPackets++;
  device.counters.rxBytes += countedBytes;
  device.observer?.frame('received', device, frame, peer);
  device.tap?.frame(device, frame, false);
  device.upcall.input(device, frame);
}
