/** Taps on devices, for traces; null on a device while nothing is traced. */
import type { NetDevice } from '../../shared/netstack/device.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';

export interface FrameObserver {
  /** `frame.offset` stands at the Ethernet header. `peer`: the node at the other end of a tunnel, by its name or its address. */
  frame(direction: 'received' | 'sent', device: NetDevice, frame: Packet, peer?: string | number): void;
}
