/**
 * The bytes a program wrote that the peer has not acknowledged: a ring that starts small and doubles up to its bound.
 * Position 0 is the oldest byte kept.
 */

import { Alarm } from '../alarm.ts';
import type { Engine } from '../engine.ts';
import * as seq from './seq.ts';

const INITIAL_BYTES = 4096;
/** More than this an empty buffer gives back, once it has been empty for so long: a busy sender fills it again at once. */
const IDLE_BYTES = 65_536;
const IDLE_US = 1_000_000;

export class SendBuffer {
  /** Bytes kept. */
  length = 0;
  /** Sequence number of position 0. */
  sequence = 0;
  private readonly limitBytes: number;
  private readonly engine: Engine;
  private readonly idle: Alarm;
  private ring = new Uint8Array(0);
  private start = 0;
  /** A view of the ring's beginning: who writes message by message has each there, often of one length. */
  private head: Uint8Array = this.ring;

  constructor(limitBytes: number, engine: Engine) {
    this.limitBytes = limitBytes;
    this.engine = engine;
    this.idle = new Alarm(engine, () => this.giveBack());
  }

  /** Sequence number behind all that was written: the FIN's. */
  get endSequence(): number {
    return seq.add(this.sequence, this.length);
  }

  /** Memory taken, data or not. */
  get capacityBytes(): number {
    return this.ring.length;
  }

  get spaceBytes(): number {
    return this.limitBytes - this.length;
  }

  /** Takes as much as there is room for, and says how much. */
  write(bytes: Uint8Array): number {
    const accepted = Math.min(bytes.length, this.spaceBytes);
    if (accepted === 0) return 0;
    if (this.length + accepted > this.ring.length) this.grow(this.length + accepted);
    const at = (this.start + this.length) & (this.ring.length - 1);
    const untilEnd = this.ring.length - at;
    if (accepted <= untilEnd) this.ring.set(accepted === bytes.length ? bytes : bytes.subarray(0, accepted), at);
    else {
      this.ring.set(bytes.subarray(0, untilEnd), at);
      this.ring.set(bytes.subarray(untilEnd, accepted), 0);
    }
    this.length += accepted;
    return accepted;
  }

  /** Copies `length` bytes from `position` to `target`. */
  copyTo(target: Uint8Array, targetOffset: number, position: number, length: number): void {
    const at = (this.start + position) & (this.ring.length - 1);
    const untilEnd = this.ring.length - at;
    if (at === 0 && length <= untilEnd) target.set(this.headOf(length), targetOffset);
    else if (length <= untilEnd) target.set(this.ring.subarray(at, at + length), targetOffset);
    else {
      target.set(this.ring.subarray(at), targetOffset);
      target.set(this.ring.subarray(0, length - untilEnd), targetOffset + untilEnd);
    }
  }

  private headOf(length: number): Uint8Array {
    if (this.head.length !== length) this.head = this.ring.subarray(0, length);
    return this.head;
  }

  /** Forgets what the peer acknowledged. */
  acknowledged(sequence: number): void {
    const bytes = Math.min(seq.distance(sequence, this.sequence), this.length);
    if (bytes > 0) this.release(bytes);
  }

  /** Forgets the oldest bytes. */
  release(bytes: number): void {
    this.length -= bytes;
    this.sequence = seq.add(this.sequence, bytes);
    if (this.length > 0) this.start = (this.start + bytes) & (this.ring.length - 1);
    else {
      this.start = 0;
      if (this.ring.length > IDLE_BYTES) this.idle.set(this.engine.nowUs + IDLE_US);
    }
  }

  /** With all that is in it. */
  dispose(): void {
    this.idle.dispose();
    this.length = 0;
    this.giveBack();
  }

  private giveBack(): void {
    if (this.length > 0) return;
    this.start = 0;
    this.ring = new Uint8Array(0);
    this.head = this.ring;
  }

  private grow(needed: number): void {
    let size = Math.max(this.ring.length, INITIAL_BYTES);
    while (size < needed) size *= 2;
    const ring = new Uint8Array(size);
    if (this.length > 0) this.copyTo(ring, 0, 0, this.length);
    this.ring = ring;
    this.head = ring;
    this.start = 0;
  }
}
