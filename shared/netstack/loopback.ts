import type { Packet, PacketMemory } from '../wire/packet-memory.ts';
import { type DeviceCounters, type FrameTap, type FrameUpcall, type NetDevice, zeroCounters } from './device.ts';
import type { Engine } from './engine.ts';

const LOOPBACK_MTU_BYTES = 65_535;

/**
 * `lo`: what is transmitted is received by the same host, by way of the backlog. Frames carry an all-zero Ethernet header.
 * A capture sees them once, as they arrive.
 */
export class LoopbackDevice implements NetDevice {
  readonly kind = 'loopback';
  readonly name = 'lo';
  readonly index = 1;
  readonly macAddress = 0;
  readonly superSegmentBytes = 0;
  readonly counters: DeviceCounters = zeroCounters();
  mtuBytes = LOOPBACK_MTU_BYTES;
  up = true;
  upcall: FrameUpcall | null = null;
  tap: FrameTap | null = null;
  private readonly engine: Engine;
  private readonly memory: PacketMemory;

  constructor(engine: Engine, memory: PacketMemory) {
    this.engine = engine;
    this.memory = memory;
  }

  transmit(frame: Packet): void {
    if (!this.up || !this.engine.enqueue(this, frame)) {
      this.counters.txDropped++;
      this.memory.free(frame);
      return;
    }
    this.counters.txPackets++;
    this.counters.txBytes += frame.length;
  }

  receive(frame: Packet): void {
    if (this.upcall === null) {
      this.counters.rxDropped++;
      this.memory.free(frame);
      return;
    }
    this.counters.rxPackets++;
    this.counters.rxBytes += frame.length;
    this.tap?.frame(this, frame, false);
    this.upcall.input(this, frame);
  }
}
