/**
 * Hands out numbers of a range (addresses, ports), each to one Service. Automatic choices begin in the upper part of the
 * range, so that chosen ones seldom collide (Kubernetes "Service ClusterIP allocation", "NodePort").
 */
import type { Random } from '../../../shared/runtime/random.ts';
import type { Claimant, Claims } from './claim.ts';

export interface Range {
  readonly first: number;
  /** Inclusive. */
  readonly last: number;
  /** Automatic choices use the numbers below `first + staticCount` only when the others are taken. */
  readonly staticCount: number;
}

export class Allocator {
  readonly range: Range;
  readonly claims: Claims;
  /** The name of a number's claim. */
  readonly nameOf: (value: number) => string;
  private readonly random: Random;

  constructor(claims: Claims, range: Range, nameOf: (value: number) => string, random: Random) {
    this.claims = claims;
    this.range = range;
    this.nameOf = nameOf;
    this.random = random;
  }

  contains(value: number): boolean {
    return value >= this.range.first && value <= this.range.last;
  }

  /** A number that nobody had; undefined when the range is full. A dry run takes nothing. */
  async takeAny(claimant: Claimant, nowMs: number, dryRun: boolean): Promise<number | undefined> {
    for (const value of this.candidates()) {
      if (this.claims.has(this.nameOf(value))) continue;
      if (dryRun || (await this.claims.take(this.nameOf(value), claimant, nowMs))) return value;
    }
    return undefined;
  }

  /** False when somebody has it. */
  async take(value: number, claimant: Claimant, nowMs: number, dryRun: boolean): Promise<boolean> {
    if (dryRun) return !this.claims.has(this.nameOf(value));
    return this.claims.take(this.nameOf(value), claimant, nowMs);
  }

  release(value: number, claimant: Claimant): Promise<void> {
    return this.claims.release(this.nameOf(value), claimant);
  }

  private *candidates(): Iterable<number> {
    const { first, last, staticCount } = this.range;
    yield* this.rotated(first + staticCount, last);
    yield* this.rotated(first, first + staticCount - 1);
  }

  /** All numbers of a part, from a random one on. */
  private *rotated(from: number, to: number): Iterable<number> {
    const size = to - from + 1;
    if (size <= 0) return;
    const start = this.random.integer(0, size);
    for (let i = 0; i < size; i++) yield from + ((start + i) % size);
  }
}
