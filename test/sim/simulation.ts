/**
 * A seeded simulation of hosts and faulty cables in virtual time: the same stack as in production, every choice from one
 * seed. `PODWIRE_SEED=N` (or `--seed N`) runs another one; a failure names the seed it had.
 */

import { HoldingBound } from '../../node-agent/datapath/faults/holding-bound.ts';
import { EventEngine } from '../../shared/netstack/event-engine.ts';
import { Host, type HostOptions } from '../../shared/netstack/host.ts';
import { seededRandom } from '../../shared/netstack/seeded-random.ts';
import type { VethOptions } from '../../shared/netstack/veth.ts';
import type { ImpairmentChange } from '../../shared/rules/impairment.ts';
import { parsePrefix } from '../../shared/wire/ip-address.ts';
import { PacketMemory } from '../../shared/wire/packet-memory.ts';
import { Cable } from './cable.ts';

const DEFAULT_SEED = 20_260_101;

/** The seed of this run. */
export function baseSeed(): number {
  const flag = process.argv.indexOf('--seed');
  const text = flag >= 0 ? process.argv[flag + 1] : process.env.PODWIRE_SEED;
  if (text === undefined || text === '') return DEFAULT_SEED;
  const seed = Number(text);
  if (!Number.isInteger(seed)) throw new Error(`the seed must be a whole number, not "${text}"`);
  return seed;
}

/** Runs `body` with simulations of `rounds` seeds; a failure says which one it was. */
export function simulate(body: (simulation: Simulation) => void, rounds = 1): void {
  for (let round = 0; round < rounds; round++) {
    const seed = baseSeed() + round;
    try {
      body(new Simulation(seed));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new Error(`with PODWIRE_SEED=${seed}: ${message}`, { cause: error });
    }
  }
}

export class Simulation {
  readonly seed: number;
  readonly random: () => number;
  readonly engine: EventEngine;
  readonly memory = new PacketMemory({ smallSlots: 8192, largeSlots: 512 });
  private readonly bound = new HoldingBound(this.memory);
  private cableEnds = 0;

  constructor(seed: number) {
    this.seed = seed;
    this.random = seededRandom(seed);
    this.engine = new EventEngine({ random: this.random });
    this.engine.enter(1_000_000);
  }

  host(name: string, options: Partial<HostOptions> = {}): Host {
    const secret = Uint8Array.from({ length: 16 }, () => Math.floor(this.random() * 256));
    return new Host({ engine: this.engine, memory: this.memory, name, secret, ...options });
  }

  /** Joins two hosts; the faults are those of both directions. */
  cable(a: Host, addressA: string, b: Host, addressB: string, faults: ImpairmentChange = {}, mtuBytes = 1450): Cable {
    const { engine, memory, bound } = this;
    const identity = (host: Host): VethOptions => {
      const index = host.interfaces.size + 1;
      return { name: `eth${index - 2}`, index, macAddress: 0x0200_0000_0000 + ++this.cableEnds, mtuBytes };
    };
    const ends = [identity(a), identity(b)] as const;
    const cable = new Cable({ engine, memory, bound, seed: this.seed + this.cableEnds, ends });
    cable.impair(faults);
    const [first, second] = cable.ends;
    const [prefixA, prefixB] = [parsePrefix(addressA)!, parsePrefix(addressB)!];
    a.addAddress(first, prefixA.address, prefixA.prefixLength);
    b.addAddress(second, prefixB.address, prefixB.prefixLength);
    // Known from the start: three lost ARP requests are an error of their own, and not the one looked for.
    a.neighbours.setPermanent(first, prefixB.address, second.macAddress);
    b.neighbours.setPermanent(second, prefixA.address, first.macAddress);
    return cable;
  }

  /** Moves virtual time from event to event until `done`, or fails after `limitUs` of it. */
  runUntil(done: () => boolean, limitUs = 3_600_000_000): void {
    const end = this.engine.nowUs + limitUs;
    this.engine.drain();
    while (!done()) {
      const next = this.engine.nextDeadlineUs();
      if (next > end) throw new Error(`not done after ${limitUs / 1e6} s of virtual time`);
      this.engine.enter(next);
      this.engine.drain();
    }
  }

  /** Moves virtual time on by `us`. */
  run(us: number): void {
    const end = this.engine.nowUs + us;
    this.engine.drain();
    for (let next = this.engine.nextDeadlineUs(); next <= end; next = this.engine.nextDeadlineUs()) {
      this.engine.enter(next);
      this.engine.drain();
    }
    this.engine.enter(end);
    this.engine.drain();
  }
}
