/** Known bytes of what weave's peers send each other: ESP and the sleeve's datagrams. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as esp from './esp.ts';
import * as sleeve from './sleeve.ts';

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('ESP (RFC 4303, RFC 4106)', () => {
  it('has SPI, sequence number and the counter as initialization vector', () => {
    const bytes = new Uint8Array(50);
    esp.encode(viewOf(bytes), 0, 0xc0ffee01, 2 ** 32 + 5);
    expect(hex(bytes.subarray(0, 16))).toBe('c0ffee01' + '00000005' + '0000000100000005');
    expect(esp.spi(viewOf(bytes), 0)).toBe(0xc0ffee01);
    expect(esp.counter(viewOf(bytes), 0)).toBe(2 ** 32 + 5);
  });

  it.each([
    [0, '0102' + '02' + '11'],
    [1, '01' + '01' + '11'],
    [2, '00' + '11'],
    [3, '010203' + '03' + '11'],
  ])('pads %d bytes to four, with what the padding is to be', (payload, trailer) => {
    const bytes = new Uint8Array(8);
    const padding = esp.paddingBytes(payload);
    esp.encodeTrailer(viewOf(bytes), payload, padding, 17);
    const length = payload + padding + esp.TRAILER_BYTES;
    expect(hex(bytes.subarray(payload, length))).toBe(trailer);
    expect(length % 4).toBe(0);
    expect(esp.payloadBytes(viewOf(bytes), 0, length, 17)).toBe(payload);
    expect(esp.payloadBytes(viewOf(bytes), 0, length, 6)).toBe(-1);
  });

  it('is none when it is too short, or its counter or padding is none', () => {
    const bytes = new Uint8Array(40);
    expect(esp.check(viewOf(bytes), 0, 33)).toBe(false);
    expect(esp.check(viewOf(bytes), 0, 34)).toBe(true);
    expect(esp.check(viewOf(bytes), 0, 41)).toBe(false);
    viewOf(bytes).setUint32(8, 2 ** 21);
    expect(esp.check(viewOf(bytes), 0, 40)).toBe(false);
    expect(esp.payloadBytes(viewOf(new Uint8Array([0, 200, 17])), 0, 3, 17)).toBe(-1);
  });
});

describe('sleeve', () => {
  it('names the sender, and counts', () => {
    const bytes = new Uint8Array(14);
    sleeve.setSender(viewOf(bytes), 0, 0x0a1b2c3d4e5f);
    sleeve.setCounter(viewOf(bytes), 0, 2 ** 33 + 1);
    expect(hex(bytes)).toBe('0a1b2c3d4e5f' + '0000000200000001');
    expect(sleeve.sender(viewOf(bytes), 0)).toBe(0x0a1b2c3d4e5f);
    expect(sleeve.counter(viewOf(bytes), 0)).toBe(2 ** 33 + 1);
  });

  it('puts between whom a frame goes before it, how often it was passed on and its length', () => {
    const bytes = new Uint8Array(sleeve.FRAME_HEADER_BYTES + 0x123);
    const header = { source: 0x020000000001, destination: 0x020000000002, hops: 3, length: 0x123 };
    sleeve.encodeFrameHeader(viewOf(bytes), 0, header);
    expect(hex(bytes.subarray(0, 14))).toBe('020000000001' + '020000000002' + '3123');
    expect(sleeve.frameHeader(viewOf(bytes), 0, bytes.length)).toEqual(header);
    expect(sleeve.frameHeader(viewOf(bytes), 0, bytes.length - 1)).toBeUndefined();
    expect(sleeve.frameHeader(viewOf(bytes), 0, 13)).toBeUndefined();
  });

  it('whatever comes is a frame within its bytes, or none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const header = sleeve.frameHeader(viewOf(bytes), 0, bytes.length);
        expect((header?.length ?? 0) <= Math.max(0, bytes.length - sleeve.FRAME_HEADER_BYTES)).toBe(true);
      }),
    );
  });
});
