import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as wireguard from './wireguard.ts';

describe('the transport data message', () => {
  it('has its known bytes', () => {
    const bytes = new Uint8Array(wireguard.OVERHEAD_BYTES);
    const view = new DataView(bytes.buffer);
    wireguard.encode(view, 0, 0x1234_5678, 0x1_0000_0002);
    expect([...bytes.subarray(0, wireguard.HEADER_BYTES)]).toEqual([
      4, 0, 0, 0, 0x78, 0x56, 0x34, 0x12, 2, 0, 0, 0, 1, 0, 0, 0,
    ]);
    expect(wireguard.check(view, 0, bytes.length)).toBe(true);
  });

  it('reads what it wrote', () => {
    const view = new DataView(new ArrayBuffer(64));
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), fc.maxSafeNat(), fc.nat(32), (index, counter, offset) => {
        wireguard.encode(view, offset, index, counter);
        expect(wireguard.check(view, offset, wireguard.OVERHEAD_BYTES)).toBe(true);
        expect(wireguard.receiverIndex(view, offset)).toBe(index);
        expect(wireguard.counter(view, offset)).toBe(counter);
      }),
    );
  });

  it('is refused when truncated, of another type, with reserved bits, or with a counter beyond all use', () => {
    const view = new DataView(new ArrayBuffer(64));
    wireguard.encode(view, 0, 1, 1);
    for (let length = 0; length < wireguard.OVERHEAD_BYTES; length++) {
      expect(wireguard.check(view, 0, length)).toBe(false);
    }
    expect(wireguard.check(view, 40, 32)).toBe(false);
    view.setUint8(0, 1);
    expect(wireguard.check(view, 0, 32)).toBe(false);
    wireguard.encode(view, 0, 1, 1);
    view.setUint8(2, 1);
    expect(wireguard.check(view, 0, 32)).toBe(false);
    wireguard.encode(view, 0, 1, 1);
    view.setUint8(15, 0xff);
    expect(wireguard.check(view, 0, 32)).toBe(false);
  });

  it('pads to 16 bytes, but not beyond the MTU', () => {
    expect([0, 1, 16, 17, 1409, 1420].map((length) => wireguard.paddedBytes(length, 1420))).toEqual([
      0, 16, 16, 32, 1420, 1420,
    ]);
  });
});
