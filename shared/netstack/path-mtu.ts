import { MIN_MTU_BYTES } from '../wire/ipv6.ts';
import { isIpv6 } from '../wire/ipv6-table.ts';
import type { Engine } from './engine.ts';
import { type NextHop, nextHopMtu } from './next-hop.ts';

/** Destinations one host remembers a smaller path MTU for. */
export const MAX_PATH_MTUS = 1024;
/** A larger one is tried again after this time (RFC 1191 section 6.3). */
export const PATH_MTU_LIFETIME_US = 600_000_000;
/** The least MTU that a "fragmentation needed" is believed (Linux' min_pmtu). */
export const MIN_PATH_MTU_BYTES = 552;

export interface PathMtu {
  readonly mtuBytes: number;
  readonly expiresUs: number;
}

/** Path MTUs learned from "fragmentation needed" (RFC 1191) and "packet too big" (RFC 8201), by destination. */
export class PathMtuTable {
  private readonly engine: Engine;
  /** null while nothing was: most hosts learn none. */
  private learned: Map<number, PathMtu> | null = null;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  visitAddresses(visit: (address: number) => void): void {
    for (const destination of this.learned?.keys() ?? []) visit(destination);
  }

  /** What fits on the way: the device's MTU, the route's, or what was learned. */
  towards(destination: number, nextHop: NextHop): number {
    const limit = nextHopMtu(nextHop, nextHop.device!);
    if (this.learned === null) return limit;
    return Math.min(limit, this.learnedOf(destination)?.mtuBytes ?? limit);
  }

  /** What was learned and holds still. */
  learnedOf(destination: number): PathMtu | undefined {
    const entry = this.learned?.get(destination | 0);
    if (entry === undefined || entry.expiresUs > this.engine.nowUs) return entry;
    this.learned?.delete(destination | 0);
    return undefined;
  }

  learn(destination: number, mtuBytes: number): void {
    const key = destination | 0;
    this.learned ??= new Map();
    this.learned.delete(key);
    if (this.learned.size >= MAX_PATH_MTUS) {
      const [oldest] = this.learned.keys();
      this.learned.delete(oldest!);
    }
    this.learned.set(key, {
      mtuBytes: Math.max(mtuBytes, isIpv6(destination) ? MIN_MTU_BYTES : MIN_PATH_MTU_BYTES),
      expiresUs: this.engine.nowUs + PATH_MTU_LIFETIME_US,
    });
  }
}
