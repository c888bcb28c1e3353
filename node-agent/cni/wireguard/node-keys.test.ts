import { expect, test } from 'vitest';
import type { SessionCipher } from '../../datapath/wireguard/session.ts';
import { createNodeKeys } from './node-keys.ts';

const PLAIN = new TextEncoder().encode('a packet of one pod to another');

function sealed(cipher: SessionCipher, counter: number): Uint8Array {
  const bytes = new Uint8Array(PLAIN.length + 16);
  bytes.set(PLAIN);
  cipher.seal(counter, bytes, 0, PLAIN.length);
  return bytes;
}

function pair(): [SessionCipher, SessionCipher] {
  const [a, b] = [createNodeKeys(), createNodeKeys()];
  return [a.cipherWith(b.publicKey)!, b.cipherWith(a.publicKey)!];
}

test('two nodes open what the other sealed, each direction with a key of its own', () => {
  const [a, b] = pair();
  expect([a.sendIndex, a.receiveIndex]).toEqual([b.receiveIndex, b.sendIndex]);
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const bytes = sealed(from, 2 ** 40 + 5);
    expect(Buffer.from(bytes).includes(Buffer.from(PLAIN.subarray(0, 8)))).toBe(false);
    expect(to.open(2 ** 40 + 5, bytes, 0, PLAIN.length)).toBe(true);
    expect(bytes.subarray(0, PLAIN.length)).toEqual(PLAIN);
  }
  expect(sealed(a, 1)).not.toEqual(sealed(b, 1));
  expect(sealed(a, 1)).not.toEqual(sealed(a, 2));
});

test('every changed bit, another counter and another node’s key are noticed', () => {
  const [a, b] = pair();
  const original = sealed(a, 7);
  for (let bit = 0; bit < original.length * 8; bit++) {
    const bytes = original.slice();
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    expect(b.open(7, bytes, 0, PLAIN.length)).toBe(false);
  }
  expect(b.open(8, original.slice(), 0, PLAIN.length)).toBe(false);
  expect(pair()[1].open(7, original.slice(), 0, PLAIN.length)).toBe(false);
  expect(b.open(7, original.slice(), 0, PLAIN.length)).toBe(true);
});

test('no session comes of what is no key, or of a key that everybody can compute with', () => {
  const keys = createNodeKeys();
  for (const text of ['', 'nonsense', Buffer.alloc(31, 1).toString('base64'), Buffer.alloc(32).toString('base64')]) {
    expect(keys.cipherWith(text)).toBeUndefined();
  }
  expect(keys.cipherWith(keys.publicKey)).toBeUndefined();
});
