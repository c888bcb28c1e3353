import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PacketCipher } from '../../datapath/weave/packet-cipher.ts';
import { MeshPassword } from './session-keys.ts';

const right = new MeshPassword('a secret of all');
const HEADER_BYTES = 16;
const TAG_BYTES = 16;

function between(one: MeshPassword, other: MeshPassword) {
  const [a, b] = [one.agreement(), other.agreement()];
  return [a.keysWith(b.publicKey)!, b.keysWith(a.publicKey)!] as const;
}

/** Header, what was sealed, tag. */
function sealed(cipher: PacketCipher, counter: number, text: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + text.length + TAG_BYTES);
  bytes.fill(7, 0, HEADER_BYTES);
  bytes.set(text, HEADER_BYTES);
  cipher.seal(counter, bytes, 0, HEADER_BYTES, HEADER_BYTES, text.length);
  return bytes;
}

function opened(cipher: PacketCipher, counter: number, bytes: Uint8Array): Uint8Array | undefined {
  const copy = bytes.slice();
  const length = bytes.length - HEADER_BYTES - TAG_BYTES;
  const isAuthentic = cipher.open(counter, copy, 0, HEADER_BYTES, HEADER_BYTES, length);
  return isAuthentic ? copy.subarray(HEADER_BYTES, HEADER_BYTES + length) : undefined;
}

describe('keys of a connection', () => {
  const [a, b] = between(right, right);
  const counters = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
  const texts = fc.uint8Array({ maxLength: 200 });

  it('open what the other side sealed, and nothing of which a bit was changed, nor under another counter', () => {
    const change = fc.record({ at: fc.nat(), bit: fc.nat(7) });
    fc.assert(
      fc.property(texts, counters, change, (text, counter, { at, bit }) => {
        const bytes = sealed(a.packets.fastdp.send, counter, text);
        const { receive } = b.packets.fastdp;
        expect(opened(receive, counter, bytes)).toEqual(text);
        expect(opened(receive, counter === 0 ? 1 : counter - 1, bytes)).toBeUndefined();
        bytes[at % bytes.length]! ^= 1 << bit;
        expect(opened(receive, counter, bytes)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  it('are others for each use, each direction, each session and each password', () => {
    const text = new TextEncoder().encode('nobody else');
    const bytes = sealed(a.packets.fastdp.send, 1, text);
    const [again] = between(right, right);
    const [, stranger] = between(right, new MeshPassword('guessed'));
    for (const { control, packets } of [a, b, again, stranger]) {
      for (const { send, receive } of [control, packets.fastdp, packets.sleeve]) {
        for (const cipher of [send, receive]) {
          const isTheOne = cipher === b.packets.fastdp.receive || cipher === a.packets.fastdp.send;
          expect(opened(cipher, 1, bytes) !== undefined).toBe(isTheOne);
        }
      }
    }
  });

  it('are not made with what is no public key, nor with the own one', () => {
    const agreement = right.agreement();
    const small = Buffer.alloc(32).toString('base64');
    for (const key of ['', 'abc', small, agreement.publicKey]) expect(agreement.keysWith(key)).toBeUndefined();
  });
});
