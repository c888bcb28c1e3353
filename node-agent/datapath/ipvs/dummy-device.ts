/** `kube-ipvs0`: a device that leads nowhere and only carries addresses, by which the node takes those of Services as its own. */
import {
  type DeviceCounters,
  type FrameTap,
  type FrameUpcall,
  type NetDevice,
  zeroCounters,
} from '../../../shared/netstack/device.ts';
import type { Packet, PacketMemory } from '../../../shared/wire/packet-memory.ts';

const MTU_BYTES = 1500;

export class DummyDevice implements NetDevice {
  readonly kind = 'dummy';
  readonly superSegmentBytes = 0;
  readonly counters: DeviceCounters = zeroCounters();
  mtuBytes = MTU_BYTES;
  /** kube-proxy never sets it up, as addresses need not. */
  up = false;
  upcall: FrameUpcall | null = null;
  tap: FrameTap | null = null;
  readonly name: string;
  readonly index: number;
  readonly macAddress: number;
  private readonly memory: PacketMemory;

  constructor(name: string, index: number, macAddress: number, memory: PacketMemory) {
    this.name = name;
    this.index = index;
    this.macAddress = macAddress;
    this.memory = memory;
  }

  transmit(frame: Packet): void {
    this.counters.txDropped++;
    this.memory.free(frame);
  }

  receive(frame: Packet): void {
    this.counters.rxDropped++;
    this.memory.free(frame);
  }
}
