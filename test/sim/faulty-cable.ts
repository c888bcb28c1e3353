/** A cable between two hosts that delays, loses, repeats, swaps and damages frames, as a seed says. */

import { type DeviceCounters, type FrameUpcall, type NetDevice, zeroCounters } from '../../shared/netstack/device.ts';
import type { Engine } from '../../shared/netstack/engine.ts';
import { completeChecksums } from '../../shared/wire/complete-checksums.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import type { Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';

/** Probabilities are per frame, 0 to 1. */
export interface CableFaults {
  readonly delayUs: number;
  /** Added to the delay, uniformly from 0; a large one swaps frames unless `keepOrder`. */
  readonly jitterUs: number;
  readonly loss: number;
  readonly duplication: number;
  /** A frame that is reordered comes this much later than it should. */
  readonly reordering: number;
  readonly reorderingDelayUs: number;
  /** One bit of the frame is flipped; the checksums must find it. */
  readonly corruption: number;
  /** 0 for no limit. */
  readonly bitsPerSecond: number;
  /** Full frames that wait for a limited rate before what comes is dropped. */
  readonly queueFrames: number;
}

export const PERFECT: CableFaults = {
  delayUs: 0,
  jitterUs: 0,
  loss: 0,
  duplication: 0,
  reordering: 0,
  reorderingDelayUs: 3000,
  corruption: 0,
  bitsPerSecond: 0,
  queueFrames: 256,
};

export class CableEnd implements NetDevice {
  readonly kind = 'ethernet';
  readonly name: string;
  readonly index: number;
  readonly macAddress: number;
  readonly superSegmentBytes = 0;
  readonly counters: DeviceCounters = zeroCounters();
  mtuBytes: number;
  up = true;
  upcall: FrameUpcall | null = null;
  readonly tap = null;
  peer: CableEnd | null = null;
  /** Of frames that leave through this end; may be changed while the simulation runs. */
  faults: CableFaults;
  private readonly engine: Engine;
  private readonly memory: PacketMemory;
  private busyUntilUs = 0;

  constructor(
    engine: Engine,
    memory: PacketMemory,
    identity: { name: string; index: number; macAddress: number; mtuBytes: number },
    faults: CableFaults,
  ) {
    this.engine = engine;
    this.memory = memory;
    this.name = identity.name;
    this.index = identity.index;
    this.macAddress = identity.macAddress;
    this.mtuBytes = identity.mtuBytes;
    this.faults = faults;
  }

  transmit(frame: Packet): void {
    const { faults } = this;
    if (frame.length > this.mtuBytes + ethernet.HEADER_BYTES || this.chance(faults.loss)) {
      this.lose(frame);
      return;
    }
    this.counters.txPackets++;
    this.counters.txBytes += frame.length;
    if (faults.corruption > 0) completeChecksums(this.memory, frame);
    const copy = this.chance(faults.duplication) ? this.memory.clone(frame) : undefined;
    if (this.chance(faults.corruption)) this.damage(frame);
    this.put(frame);
    if (copy !== undefined) this.put(copy);
  }

  /** Onto the wire, behind what waits for it. */
  private put(frame: Packet): void {
    const { faults, engine } = this;
    if (faults.bitsPerSecond === 0) {
      this.schedule(frame);
      return;
    }
    const startUs = Math.max(engine.nowUs, this.busyUntilUs);
    const frameUs = (frame.length * 8_000_000) / faults.bitsPerSecond;
    // A queue of bytes, counted in full frames: a short frame waits as long as a long one.
    const fullFrameUs = ((this.mtuBytes + ethernet.HEADER_BYTES) * 8_000_000) / faults.bitsPerSecond;
    if (startUs - engine.nowUs > fullFrameUs * faults.queueFrames) {
      this.lose(frame);
      return;
    }
    this.busyUntilUs = startUs + frameUs;
    this.schedule(frame, this.busyUntilUs - engine.nowUs);
  }

  receive(frame: Packet): void {
    if (this.upcall === null || !this.up) {
      this.memory.free(frame);
      return;
    }
    this.counters.rxPackets++;
    this.counters.rxBytes += frame.length;
    this.upcall.input(this, frame);
  }

  private schedule(frame: Packet, queueUs = 0): void {
    const { faults, engine } = this;
    let delayUs = queueUs + faults.delayUs + engine.random() * faults.jitterUs;
    if (this.chance(faults.reordering)) delayUs += faults.reorderingDelayUs;
    engine.schedule(engine.nowUs + delayUs, () => this.arrive(frame));
  }

  private arrive(frame: Packet): void {
    if (this.peer === null || !this.engine.enqueue(this.peer, frame)) this.lose(frame);
  }

  private lose(frame: Packet): void {
    this.counters.txDropped++;
    this.memory.free(frame);
  }

  /** Behind the Ethernet header, which has no checksum here (a real one has). */
  private damage(frame: Packet): void {
    const behind = frame.length - ethernet.HEADER_BYTES;
    const at = frame.offset + ethernet.HEADER_BYTES + Math.floor(this.engine.random() * behind);
    this.memory.bytes[at]! ^= 1 << Math.floor(this.engine.random() * 8);
  }

  private chance(probability: number): boolean {
    return probability > 0 && this.engine.random() < probability;
  }
}
