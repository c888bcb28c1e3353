/**
 * HalfSipHash-2-4 (Aumasson and Bernstein's SipHash on 32-bit words): a keyed hash whose values nobody without the key can
 * foresee. Initial sequence numbers and ephemeral ports come from it.
 */

/** The 32-bit hash of three words under a 64-bit key. */
export function hashWords(key0: number, key1: number, a: number, b: number, c: number): number {
  const state = start(key0, key1);
  absorb(state, a);
  absorb(state, b);
  absorb(state, c);
  return finish(state, 12);
}

/** The hash of nothing: for the known answer of the reference. */
export function hashNothing(key0: number, key1: number): number {
  return finish(start(key0, key1), 0);
}

type State = [number, number, number, number];

function start(key0: number, key1: number): State {
  return [key0, key1, 0x6c796765 ^ key0, 0x74656462 ^ key1];
}

function absorb(state: State, word: number): void {
  state[3] ^= word;
  round(state);
  round(state);
  state[0] ^= word;
}

function finish(state: State, inputBytes: number): number {
  absorb(state, inputBytes << 24);
  state[2] ^= 0xff;
  for (let i = 0; i < 4; i++) round(state);
  return (state[1] ^ state[3]) >>> 0;
}

function round(state: State): void {
  let [v0, v1, v2, v3] = state;
  v0 = (v0 + v1) | 0;
  v1 = rotate(v1, 5) ^ v0;
  v0 = rotate(v0, 16);
  v2 = (v2 + v3) | 0;
  v3 = rotate(v3, 8) ^ v2;
  v0 = (v0 + v3) | 0;
  v3 = rotate(v3, 7) ^ v0;
  v2 = (v2 + v1) | 0;
  v1 = rotate(v1, 13) ^ v2;
  v2 = rotate(v2, 16);
  state[0] = v0;
  state[1] = v1;
  state[2] = v2;
  state[3] = v3;
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
