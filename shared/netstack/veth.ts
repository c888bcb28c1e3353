import * as ethernet from '../wire/ethernet.ts';
import type { Packet, PacketMemory } from '../wire/packet-memory.ts';
import type { Engine } from './engine.ts';
import { WiredDevice } from './wired-device.ts';

export interface VethOptions {
  readonly name: string;
  readonly macAddress: number;
  readonly index: number;
  /** 1500 by default. */
  readonly mtuBytes?: number;
}

/** One end of a virtual Ethernet cable: what is transmitted here is received by the peer, by way of the backlog. */
export class VethDevice extends WiredDevice {
  readonly kind = 'veth';
  /** null once the pair was deleted. */
  peer: VethDevice | null = null;
  private readonly engine: Engine;
  private readonly memory: PacketMemory;

  constructor(engine: Engine, memory: PacketMemory, options: VethOptions) {
    super({ ...options, mtuBytes: options.mtuBytes ?? 1500 });
    this.engine = engine;
    this.memory = memory;
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
