import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCredit, decodeFrame, encodeCredit, encodeFrame, FRAME_TYPES } from './stream-frame.ts';

describe('frames', () => {
  it('come back as they were', () => {
    const type = fc.constantFrom(...FRAME_TYPES);
    const channel = fc.integer({ min: 0, max: 255 });
    const sequence = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    fc.assert(
      fc.property(type, channel, sequence, fc.uint8Array(), (...frame) => {
        const [frameType, frameChannel, frameSequence, payload] = frame;
        expect(decodeFrame(encodeFrame(...frame))).toEqual({
          type: frameType,
          channel: frameChannel,
          sequence: frameSequence,
          payload,
        });
      }),
    );
  });

  it.each([[[]], [[0, 1, 2, 3, 4]], [[9, 0, 0, 0, 0, 1]]])('%o is none', (bytes) => {
    expect(decodeFrame(Uint8Array.from(bytes))).toBeUndefined();
  });

  it('carry credit, and none when cut short', () => {
    expect(decodeCredit(encodeCredit(70_000))).toBe(70_000);
    expect(decodeCredit(Uint8Array.of(1, 2))).toBe(0);
  });
});
