import * as ethernet from '../wire/ethernet.ts';
import type { Packet, PacketMemory } from '../wire/packet-memory.ts';
import {
  type DeviceCounters,
  type FrameTap,
  type FrameUpcall,
  type NetDevice,
  type QueueDiscipline,
  type QueuedDevice,
  zeroCounters,
} from './device.ts';
import type { Engine } from './engine.ts';
import { SUPER_SEGMENT_BYTES } from './super-segment.ts';

export interface VethOptions {
  readonly name: string;
  readonly macAddress: number;
  readonly index: number;
  /** 1500 by default. */
  readonly mtuBytes?: number;
}

/** One end of a virtual Ethernet cable: what is transmitted here is received by the peer, by way of the backlog. */
export class VethDevice implements NetDevice, QueuedDevice {
  readonly kind = 'veth';
  readonly name: string;
  readonly index: number;
  readonly macAddress: number;
  readonly counters: DeviceCounters = zeroCounters();
  mtuBytes: number;
  up = true;
  upcall: FrameUpcall | null = null;
  qdisc: QueueDiscipline | null = null;
  tap: FrameTap | null = null;
  /** null once the pair was deleted. */
  peer: VethDevice | null = null;
  private readonly engine: Engine;
  private readonly memory: PacketMemory;

  constructor(engine: Engine, memory: PacketMemory, options: VethOptions) {
    this.engine = engine;
    this.memory = memory;
    this.name = options.name;
    this.index = options.index;
    this.macAddress = options.macAddress;
    this.mtuBytes = options.mtuBytes ?? 1500;
  }

  get superSegmentBytes(): number {
    return this.qdisc === null || this.qdisc.takesSuperSegments ? SUPER_SEGMENT_BYTES : 0;
  }

  transmit(frame: Packet): void {
    if (this.qdisc === null) this.transmitNow(frame);
    else this.qdisc.enqueue(frame);
  }

  transmitNow(frame: Packet): void {
    const { peer } = this;
    if (peer === null || !this.up || !peer.up || this.tooLong(frame) || !this.engine.enqueue(peer, frame)) {
      this.counters.txDropped++;
      this.memory.free(frame);
      return;
    }
    this.counters.txPackets++;
    this.counters.txBytes += frame.length;
    this.tap?.frame(this, frame, true);
  }

  receive(frame: Packet): void {
    if (this.upcall === null || !this.up || this.tooLong(frame)) {
      this.counters.rxDropped++;
      this.memory.free(frame);
      return;
    }
    this.counters.rxPackets++;
    this.counters.rxBytes += frame.length;
    this.tap?.frame(this, frame, false);
    this.upcall.input(this, frame);
  }

  /** Deletes both ends, as `ip link del` does with either; frames still on the backlog are dropped on arrival. */
  delete(): void {
    const { peer } = this;
    this.disconnect();
    peer?.disconnect();
  }

  private disconnect(): void {
    this.peer = null;
    this.up = false;
    this.upcall = null;
  }

  private tooLong(frame: Packet): boolean {
    return frame.segmentBytes === 0 && frame.length > this.mtuBytes + ethernet.HEADER_BYTES;
  }
}

/** Two ends that are each other's peer; each is then added to a host or made a port of a bridge. */
export function createVethPair(
  engine: Engine,
  memory: PacketMemory,
  a: VethOptions,
  b: VethOptions,
): [VethDevice, VethDevice] {
  const first = new VethDevice(engine, memory, a);
  const second = new VethDevice(engine, memory, b);
  first.peer = second;
  second.peer = first;
  return [first, second];
}
