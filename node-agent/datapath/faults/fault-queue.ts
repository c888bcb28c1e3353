/**
 * One direction of a link with faults: a timestamped queue that every packet passes.
 *
 *   partition? -> loss, duplication -> corruption -> rate (bounded queue) -> delay and jitter, or reordered -> out
 *
 * Decisions come from the seed and the packets alone, in that order, so that the same packets meet the same fate again.
 * Packets that are released at one time leave as one batch, and a link with nothing but a delay takes super-segments: all
 * their segments would wait alike. Delay alone bounds nothing but what the node may hold.
 */
import { Alarm } from '../../../shared/netstack/alarm.ts';
import type { QueueDiscipline } from '../../../shared/netstack/device.ts';
import * as drop from '../../../shared/netstack/drop-reasons.ts';
import type { Engine } from '../../../shared/netstack/engine.ts';
import type { DropReason } from '../../../shared/netstack/hooks.ts';
import { seededRandom } from '../../../shared/netstack/seeded-random.ts';
import { segmentCount } from '../../../shared/netstack/super-segment.ts';
import { type Impairment, treatsAllAlike, UNIMPAIRED } from '../../../shared/rules/impairment.ts';
import type { FaultCounters } from '../../../shared/rules/link-fault.ts';
import * as ethernet from '../../../shared/wire/ethernet.ts';
import type { Packet, PacketMemory } from '../../../shared/wire/packet-memory.ts';
import { Chance } from './chance.ts';
import { flipBit } from './corruption.ts';
import * as reasons from './fault-reasons.ts';
import type { Framing } from './framing.ts';
import type { HoldingBound } from './holding-bound.ts';
import { Jitter } from './jitter.ts';
import { Loss } from './loss.ts';
import { RateLimit } from './rate-limit.ts';
import { ReleaseQueue } from './release-queue.ts';

export interface ImpairmentTracer {
  /** `held for 20.0 ms`, `repeated`, `one bit flipped`. */
  impaired(packet: Packet, where: string, what: string): void;
}

export interface FaultObserver {
  /** null while nothing is traced. */
  tracer: ImpairmentTracer | null;
  dropped(packet: Packet, reason: DropReason, where: string): void;
}

export interface FaultQueueOptions {
  readonly engine: Engine;
  readonly memory: PacketMemory;
  readonly bound: HoldingBound;
  readonly seed: number;
  /** `link worker-1 -> worker-2`, in drops and traces. */
  readonly where: string;
  readonly observer: FaultObserver;
  readonly framing: Framing;
  /** Packets go on; takes ownership of them, not of the array. */
  readonly output: (packets: readonly Packet[]) => void;
}

export class FaultQueue implements QueueDiscipline {
  private what: Impairment = UNIMPAIRED;
  private alike = true;
  private readonly options: FaultQueueOptions;
  private readonly queue = new ReleaseQueue();
  private readonly alarm: Alarm;
  private readonly ready: Packet[] = [];
  private readonly rate = new RateLimit();
  private random!: () => number;
  private loss!: Loss;
  private jitter!: Jitter;
  private duplication!: Chance;
  private corruption!: Chance;
  private reordering!: Chance;
  /** Since the last one that was reordered. */
  private sinceReordered = 0;
  private lastReleaseUs = 0;
  private readonly counts = { passed: 0, delayed: 0, duplicated: 0, reordered: 0, corrupted: 0 };
  private readonly drops = new Map<DropReason, number>();

  constructor(options: FaultQueueOptions) {
    this.options = options;
    this.alarm = new Alarm(options.engine, () => this.release());
    this.reseed(options.seed);
  }

  get impairment(): Impairment {
    return this.what;
  }

  set impairment(impairment: Impairment) {
    this.what = impairment;
    this.alike = treatsAllAlike(impairment);
  }

  get takesSuperSegments(): boolean {
    return this.alike && this.options.bound.hasRoomForSuperSegment;
  }

  /** Starts the decisions anew. */
  reseed(seed: number): void {
    this.random = seededRandom(seed);
    this.loss = new Loss(this.random);
    this.jitter = new Jitter(this.random);
    this.duplication = new Chance(this.random);
    this.corruption = new Chance(this.random);
    this.reordering = new Chance(this.random);
    this.sinceReordered = 0;
  }

  get counters(): FaultCounters {
    const dropped = Object.fromEntries([...this.drops].map(([{ code }, packets]) => [code, packets]));
    return { ...this.counts, dropped, waiting: this.queue.length };
  }

  /** When the next packet leaves; Infinity when none waits. */
  nextReleaseUs(): number {
    return this.queue.nextUs();
  }

  /** Takes ownership of the packets, not of the array. */
  enqueueAll(packets: readonly Packet[]): void {
    for (const packet of packets) this.accept(packet);
    this.sendReady();
  }

  enqueue(packet: Packet): void {
    this.accept(packet);
    this.sendReady();
  }

  /** Lets go of everything at once, in order: the fault is over. */
  flush(): void {
    for (let packet = this.queue.take(); packet !== undefined; packet = this.queue.take()) this.pass(packet, true);
    this.alarm.dispose();
    this.sendReady();
  }

  /** Frees everything: the link is gone. */
  discard(): void {
    for (let packet = this.queue.take(); packet !== undefined; packet = this.queue.take()) {
      this.options.bound.letGo(packet);
      this.options.memory.free(packet);
    }
    this.alarm.dispose();
  }

  private accept(packet: Packet): void {
    const { impairment } = this;
    if (impairment.partition) {
      this.drop(packet, reasons.LINK_PARTITION);
      return;
    }
    const repeated = this.duplication.hit(impairment.duplicate, impairment.duplicateCorrelation);
    if (this.loss.loses(impairment)) {
      this.drop(packet, reasons.LINK_LOSS);
      return;
    }
    const copy = repeated ? this.options.memory.clone(packet) : undefined;
    this.damageAndDelay(packet);
    if (repeated) this.repeat(copy);
  }

  private repeat(copy: Packet | undefined): void {
    if (copy === undefined) {
      this.countDrop(drop.NO_PACKET_MEMORY);
      return;
    }
    this.counts.duplicated++;
    this.options.observer.tracer?.impaired(copy, this.options.where, 'repeated');
    this.damageAndDelay(copy);
  }

  private damageAndDelay(packet: Packet): void {
    const { corrupt, corruptCorrelation } = this.impairment;
    if (this.corruption.hit(corrupt, corruptCorrelation)) {
      const { memory, framing, observer, where } = this.options;
      this.counts.corrupted++;
      observer.tracer?.impaired(packet, where, 'one bit flipped');
      if (!flipBit(memory, packet, framing.headerBytes(packet), this.random)) {
        this.drop(packet, reasons.LINK_CORRUPT);
        return;
      }
    }
    this.hold(packet);
  }

  private hold(packet: Packet): void {
    const { engine, bound, observer, where, framing } = this.options;
    const { nowUs } = engine;
    const delayUs = this.delayUs();
    const departureUs = this.rate.departureUs(nowUs, framing.wireBytes(packet), this.impairment);
    if (departureUs === undefined) {
      this.drop(packet, reasons.LINK_QUEUE_FULL);
      return;
    }
    const releaseUs = this.inOrder(departureUs + delayUs);
    if (releaseUs <= nowUs) {
      this.pass(packet, false);
      return;
    }
    if (!bound.hold(packet)) {
      this.drop(packet, reasons.LINK_QUEUE_FULL);
      return;
    }
    this.counts.delayed += this.segmentsOf(packet);
    observer.tracer?.impaired(packet, where, `held for ${((releaseUs - nowUs) / 1000).toFixed(1)} ms`);
    this.queue.add(packet, releaseUs);
    this.alarm.set(this.queue.nextUs());
  }

  /** 0 for a packet that is reordered: it overtakes those that wait. */
  private delayUs(): number {
    const { reorder, reorderCorrelation, reorderGap } = this.impairment;
    const mayOvertake = reorder > 0 && ++this.sinceReordered >= reorderGap;
    if (mayOvertake && this.reordering.hit(reorder, reorderCorrelation)) {
      this.sinceReordered = 0;
      this.counts.reordered++;
      return 0;
    }
    return this.jitter.delayUs(this.impairment);
  }

  private inOrder(releaseUs: number): number {
    if (this.impairment.keepOrder) this.lastReleaseUs = Math.max(this.lastReleaseUs, releaseUs);
    else this.lastReleaseUs = releaseUs;
    return this.lastReleaseUs;
  }

  private release(): void {
    const { nowUs } = this.options.engine;
    for (let packet = this.queue.takeDue(nowUs); packet !== undefined; packet = this.queue.takeDue(nowUs)) {
      this.pass(packet, true);
    }
    if (this.queue.length > 0) this.alarm.set(this.queue.nextUs());
    this.sendReady();
  }

  private pass(packet: Packet, wasHeld: boolean): void {
    if (wasHeld) this.options.bound.letGo(packet);
    this.counts.passed += this.segmentsOf(packet);
    this.ready.push(packet);
  }

  private sendReady(): void {
    if (this.ready.length > 0) this.options.output(this.ready.splice(0));
  }

  private drop(packet: Packet, reason: DropReason): void {
    this.countDrop(reason, this.segmentsOf(packet));
    this.options.observer.dropped(packet, reason, this.options.where);
    this.options.memory.free(packet);
  }

  private segmentsOf(packet: Packet): number {
    const { memory, framing } = this.options;
    return segmentCount(memory.view, packet, packet.offset + framing.headerBytes(packet) + ethernet.HEADER_BYTES);
  }

  private countDrop(reason: DropReason, packets = 1): void {
    this.drops.set(reason, (this.drops.get(reason) ?? 0) + packets);
  }
}
