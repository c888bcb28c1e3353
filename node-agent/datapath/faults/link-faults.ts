/**
 * The faults of one node's links: between it and other nodes (datagrams it sends to a peer), and at its devices and those
 * of its pods. A link without a fault has no queue, and pays for a null check.
 */
import { Alarm } from '../../../shared/netstack/alarm.ts';
import type { Engine } from '../../../shared/netstack/engine.ts';
import type { DropReason } from '../../../shared/netstack/hooks.ts';
import {
  changeDefect,
  type ImpairmentChange,
  impairmentDefect,
  isUnimpaired,
} from '../../../shared/rules/impairment.ts';
import type { FaultTarget, LinkFault } from '../../../shared/rules/link-fault.ts';
import type { Packet, PacketMemory } from '../../../shared/wire/packet-memory.ts';
import { type FaultObserver, FaultQueue, type ImpairmentTracer } from './fault-queue.ts';
import type { Framing } from './framing.ts';
import { HoldingBound } from './holding-bound.ts';
import { LayeredImpairment, MAX_LAYERS } from './layered-impairment.ts';

/** Directions with a fault at once. */
export const MAX_FAULTS = 8192;

/** Where a queue can stand. */
export interface AttachPoint {
  /** The same for all names of one direction of one link. */
  readonly key: string;
  /** Who sends and who receives, as the user would name them. */
  readonly from: string;
  readonly to: string;
  readonly framing: Framing;
  readonly attach: (queue: FaultQueue | null) => void;
  readonly output: (packets: readonly Packet[]) => void;
}

/** What was asked for cannot be: the message says what, where, and what would be right. */
export class LinkFaultError extends Error {
  override name = 'LinkFaultError';
}

export interface LinkFaultsOptions {
  readonly engine: Engine;
  readonly memory: PacketMemory;
  readonly countDrop: (packet: Packet, reason: DropReason, where: string) => void;
  /** Throws LinkFaultError when there is no such link. */
  readonly resolve: (target: FaultTarget) => AttachPoint;
}

export interface FaultSettings {
  /** Starts the random numbers anew. */
  readonly seed?: number;
  /** For links that have no fault yet. */
  readonly freshSeed: number;
  /** Infinity: until it is cleared. */
  readonly durationUs: number;
}

interface Fault {
  readonly target: FaultTarget;
  readonly point: AttachPoint;
  readonly queue: FaultQueue;
  layers: LayeredImpairment;
  seed: number;
}

export class LinkFaults {
  /** Told when the first link has a fault, and when none has one any more. */
  onPresence: ((present: boolean) => void) | null = null;
  private readonly options: LinkFaultsOptions;
  private readonly faults = new Map<string, Fault>();
  private readonly bound: HoldingBound;
  private readonly observer: FaultObserver;
  private readonly expiry: Alarm;

  constructor(options: LinkFaultsOptions) {
    this.options = options;
    this.bound = new HoldingBound(options.memory);
    this.observer = { tracer: null, dropped: options.countDrop };
    this.expiry = new Alarm(options.engine, () => this.expire());
  }

  /** Told what happens to packets that pass; null while nothing is traced. */
  set tracer(tracer: ImpairmentTracer | null) {
    this.observer.tracer = tracer;
  }

  /**
   * Merges the change into the faults of all targets, or of none: throws LinkFaultError when one cannot have it. Answers
   * with the faults that these links have now.
   */
  set(targets: readonly FaultTarget[], change: ImpairmentChange, settings: FaultSettings): LinkFault[] {
    const untilUs = this.options.engine.nowUs + settings.durationUs;
    const planned = targets.map((target) => this.plan(target, change, untilUs));
    if (this.faults.size + planned.length > MAX_FAULTS) {
      throw new LinkFaultError(`a node has at most ${MAX_FAULTS} links with faults: clear some`);
    }
    for (const { target, point, layers } of planned) {
      const fault = this.faults.get(point.key) ?? this.create(target, point, settings.seed ?? settings.freshSeed);
      if (settings.seed !== undefined) {
        fault.seed = settings.seed;
        fault.queue.reseed(settings.seed);
      }
      this.apply(fault, layers);
    }
    this.armExpiry();
    const keys = new Set(planned.map(({ point }) => point.key));
    return [...this.faults].flatMap(([key, fault]) => (keys.has(key) ? [this.describe(fault)] : []));
  }

  /** Answers with the faults that there were. What waits is let go at once. */
  clear(targets: readonly FaultTarget[] | 'all'): LinkFault[] {
    const keys =
      targets === 'all' ? [...this.faults.keys()] : targets.map((target) => this.options.resolve(target).key);
    const cleared: LinkFault[] = [];
    for (const key of new Set(keys)) {
      const fault = this.faults.get(key);
      if (fault === undefined) continue;
      cleared.push(this.describe(fault));
      this.end(key, fault);
    }
    this.armExpiry();
    return cleared;
  }

  list(): LinkFault[] {
    return [...this.faults.values()].map((fault) => this.describe(fault));
  }

  /** When the next packet that waits anywhere leaves; Infinity when none waits. */
  nextReleaseUs(): number {
    if (this.bound.held === 0) return Number.POSITIVE_INFINITY;
    let nextUs = Number.POSITIVE_INFINITY;
    for (const { queue } of this.faults.values()) nextUs = Math.min(nextUs, queue.nextReleaseUs());
    return nextUs;
  }

  /** The link is there (again): its fault, if it has one, goes with it. */
  reattach(key: string): void {
    const fault = this.faults.get(key);
    fault?.point.attach(fault.queue);
  }

  /** The link is gone, and its fault with it. */
  forget(key: string): void {
    const fault = this.faults.get(key);
    if (fault === undefined) return;
    this.remove(key, fault);
    fault.queue.discard();
  }

  dispose(): void {
    for (const key of [...this.faults.keys()]) this.forget(key);
    this.expiry.dispose();
  }

  private plan(target: FaultTarget, change: ImpairmentChange, untilUs: number) {
    const point = this.options.resolve(target);
    const name = `${point.from} -> ${point.to}`;
    const before = this.faults.get(point.key)?.layers ?? new LayeredImpairment();
    const layers = before.at(this.options.engine.nowUs).with(change, untilUs);
    const defect = impairmentDefect(layers.effective) ?? changeDefect(change, layers.effective);
    if (defect !== undefined) throw new LinkFaultError(`${name}: ${defect}`);
    if (before.isFull && untilUs !== Number.POSITIVE_INFINITY) {
      throw new LinkFaultError(`${name}: ${MAX_LAYERS} changes with --for are under way: wait or clear them`);
    }
    return { target, point, layers };
  }

  private create(target: FaultTarget, point: AttachPoint, seed: number): Fault {
    const { engine, memory } = this.options;
    const queue = new FaultQueue({
      engine,
      memory,
      bound: this.bound,
      seed: seedOf(seed, point),
      where: `link ${point.from} -> ${point.to}`,
      observer: this.observer,
      framing: point.framing,
      output: point.output,
    });
    return { target, point, queue, layers: new LayeredImpairment(), seed };
  }

  /** A link that nothing is wrong with any more has no queue. */
  private apply(fault: Fault, layers: LayeredImpairment): void {
    const { key } = fault.point;
    const { effective } = layers;
    if (isUnimpaired(effective) && layers.nextEndUs === Number.POSITIVE_INFINITY) {
      this.end(key, fault);
      return;
    }
    fault.layers = layers;
    fault.queue.impairment = effective;
    if (this.faults.has(key)) return;
    this.faults.set(key, fault);
    if (this.faults.size === 1) this.onPresence?.(true);
    fault.point.attach(fault.queue);
  }

  private end(key: string, fault: Fault): void {
    this.remove(key, fault);
    fault.queue.flush();
  }

  private remove(key: string, fault: Fault): void {
    this.faults.delete(key);
    fault.point.attach(null);
    if (this.faults.size === 0) this.onPresence?.(false);
  }

  private expire(): void {
    const { nowUs } = this.options.engine;
    for (const fault of [...this.faults.values()]) {
      if (fault.layers.nextEndUs <= nowUs) this.apply(fault, fault.layers.at(nowUs));
    }
    this.armExpiry();
  }

  private armExpiry(): void {
    const ends = [...this.faults.values()].map(({ layers }) => layers.nextEndUs);
    const nextUs = Math.min(...ends);
    if (nextUs === Number.POSITIVE_INFINITY) this.expiry.clear();
    else this.expiry.set(nextUs);
  }

  private describe({ target, point, queue, layers, seed }: Fault): LinkFault {
    const remainingUs = layers.nextEndUs - this.options.engine.nowUs;
    return {
      target,
      from: point.from,
      to: point.to,
      impairment: queue.impairment,
      seed,
      ...(remainingUs === Number.POSITIVE_INFINITY ? {} : { remainingMs: Math.max(0, Math.ceil(remainingUs / 1000)) }),
      counters: queue.counters,
    };
  }
}

/** Both directions of a link and all links of one command have one seed, and not the same losses (FNV-1a of the names). */
function seedOf(seed: number, { from, to }: AttachPoint): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (const character of `${from} -> ${to}`) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  }
  return hash;
}
