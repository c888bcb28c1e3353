/**
 * Maglev hashing (Eisenbud and others, NSDI 2016, section 3.4): a table in which every backend has nearly the same number of
 * places, and keeps nearly all of them when another comes or goes.
 */
import { hashWords } from '../../shared/netstack/halfsiphash.ts';

export interface MaglevBackend {
  /** Two words that name it, whatever its place in the list. */
  readonly address: number;
  readonly port: number;
  /** 0 has no place. */
  readonly weight: number;
}

const OFFSET_SEED = 0x5eed_0ffe;
const SKIP_SEED = 0x5eed_5419;

/** For each place the index of its backend; empty when none has a weight. `size` is a prime. */
export function maglevTable(backends: readonly MaglevBackend[], size: number): Int32Array {
  const used = backends.map((backend, index) => ({ backend, index })).filter(({ backend }) => backend.weight > 0);
  if (used.length === 0) return new Int32Array(0);
  const table = new Int32Array(size).fill(-1);
  const cursors = used.map(({ backend: { address, port, weight }, index }) => ({
    index,
    weight,
    place: (hashWords(OFFSET_SEED, 0, address, port, 0) >>> 0) % size,
    skip: ((hashWords(SKIP_SEED, 0, address, port, 0) >>> 0) % (size - 1)) + 1,
  }));
  let left = size;
  for (;;) {
    for (const cursor of cursors) {
      for (let turn = 0; turn < cursor.weight; turn++) {
        while (table[cursor.place] !== -1) cursor.place = (cursor.place + cursor.skip) % size;
        table[cursor.place] = cursor.index;
        if (--left === 0) return table;
      }
    }
  }
}
