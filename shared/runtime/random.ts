import { randomBytes, randomInt } from 'node:crypto';

/** Randomness as an input: real, or from a seed so that a run can be repeated. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform whole number in [minimum, limit). */
  integer(minimum: number, limit: number): number;
  bytes(length: number): Uint8Array;
}

const UINT32_RANGE = 2 ** 32;

export const systemRandom: Random = {
  next: () => Math.random(),
  integer: (minimum, limit) => randomInt(minimum, limit),
  bytes: (length) => new Uint8Array(randomBytes(length)),
};

/** The same numbers for the same seed (splitmix32); not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const nextUint32 = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
  const next = (): number => nextUint32() / UINT32_RANGE;
  return {
    next,
    integer: (minimum, limit) => minimum + Math.floor(next() * (limit - minimum)),
    bytes: (length) => Uint8Array.from({ length }, () => nextUint32() & 0xff),
  };
}

/** Kubernetes' alphabet for generated name suffixes: no vowels, so no words; no look-alikes. */
const NAME_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** The suffix of generated names, five characters by default (`web-7d4b9c-x2x5z`). */
export function nameSuffix(random: Random, length = 5): string {
  let suffix = '';
  for (let i = 0; i < length; i++) suffix += NAME_ALPHABET[random.integer(0, NAME_ALPHABET.length)];
  return suffix;
}
