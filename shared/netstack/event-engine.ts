import { clearArray } from '../wire/clear-array.ts';
import { ipv6Table } from '../wire/ipv6-table.ts';
import type { Packet } from '../wire/packet-memory.ts';
import type { Engine, EngineOptions, FrameReceiver, TimerHandle } from './engine.ts';
import { TimerHeap } from './timer-heap.ts';

const DEFAULT_BACKLOG_FRAMES = 16_384;
/** The ring begins with room for so many, and doubles up to its bound. */
const FIRST_RING_FRAMES = 512;

/** The engine (`engine.ts`): a timer heap and a backlog ring; the edge feeds it the time and runs it turn by turn. */
export class EventEngine implements Engine {
  nowUs = 0;
  readonly random: () => number;
  /** Frames refused because the backlog was full. */
  backlogDrops = 0;
  private readonly timers = new TimerHeap();
  private receivers: (FrameReceiver | null)[];
  private frames: (Packet | null)[];
  private mask: number;
  private readonly maxFrames: number;
  /** Both only grow; the ring holds `tail - head` frames. */
  private head = 0;
  private tail = 0;
  private flushes: (() => void)[] = [];
  /** Takes what is asked for while the others run. */
  private spareFlushes: (() => void)[] = [];
  private inside = false;

  constructor(options: EngineOptions) {
    this.random = options.random;
    this.maxFrames = 2 ** Math.ceil(Math.log2(options.backlogFrames ?? DEFAULT_BACKLOG_FRAMES));
    const size = Math.min(this.maxFrames, FIRST_RING_FRAMES);
    this.mask = size - 1;
    this.receivers = new Array(size).fill(null);
    this.frames = new Array(size).fill(null);
  }

  /** Frames waiting now. */
  get backlogFrames(): number {
    return this.tail - this.head;
  }

  enter(nowUs: number): void {
    if (this.inside) return;
    if (nowUs > this.nowUs) this.nowUs = nowUs;
    this.inside = true;
    try {
      this.timers.run(this.nowUs);
    } finally {
      this.inside = false;
    }
  }

  drain(): void {
    if (this.inside) return;
    this.inside = true;
    try {
      do {
        this.deliverBacklog();
        this.runFlushes();
      } while (this.head !== this.tail || this.flushes.length > 0);
      // Nothing is on its way now, so that every number of an address is in some table.
      if (ipv6Table.isCrowded) ipv6Table.sweep();
    } finally {
      this.inside = false;
    }
  }

  enqueue(receiver: FrameReceiver, frame: Packet): boolean {
    if (this.tail - this.head > this.mask && !this.grow()) {
      this.backlogDrops++;
      return false;
    }
    const slot = this.tail++ & this.mask;
    this.receivers[slot] = receiver;
    this.frames[slot] = frame;
    return true;
  }

  schedule(deadlineUs: number, run: () => void): TimerHandle {
    return this.timers.add(deadlineUs, run);
  }

  nextDeadlineUs(): number {
    return this.timers.nextDeadlineUs();
  }

  onTurnEnd(flush: () => void): void {
    this.flushes.push(flush);
  }

  /** False when the ring has its full size already. */
  private grow(): boolean {
    const { receivers, frames, mask } = this;
    const size = 2 * (mask + 1);
    if (size > this.maxFrames) return false;
    this.receivers = new Array(size).fill(null);
    this.frames = new Array(size).fill(null);
    this.mask = size - 1;
    for (let i = this.head; i !== this.tail; i++) {
      this.receivers[i & this.mask] = receivers[i & mask]!;
      this.frames[i & this.mask] = frames[i & mask]!;
    }
    return true;
  }

  private deliverBacklog(): void {
    while (this.head !== this.tail) {
      const slot = this.head++ & this.mask;
      const receiver = this.receivers[slot]!;
      const frame = this.frames[slot]!;
      this.receivers[slot] = null;
      this.frames[slot] = null;
      receiver.receive(frame);
    }
  }

  private runFlushes(): void {
    if (this.flushes.length === 0) return;
    const due = this.flushes;
    this.flushes = this.spareFlushes;
    this.spareFlushes = due;
    for (const flush of due) flush();
    clearArray(due);
  }
}
