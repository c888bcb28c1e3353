/** Tags and tunnel headers: known bytes, truncation, what is encoded is read, and foreign bytes that never throw. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as ethernet from './ethernet.ts';
import * as geneve from './geneve.ts';
import * as gre from './gre.ts';
import * as ipip from './ipip.ts';
import * as ipv4 from './ipv4.ts';
import * as vlan from './vlan.ts';

const hex = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16));
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const word = fc.integer({ min: 0, max: 0xffff });
const long = fc.integer({ min: 0, max: 0xffff_ffff });
const bytesOf = (view: DataView, length: number): number[] => [...new Uint8Array(view.buffer, 0, length)];

describe('vlan', () => {
  const frame = viewOf(hex('ffffffffffff 020000000001 8100 a064 0806'));

  test('known bytes', () => {
    expect(vlan.isTag(ethernet.type(frame, 0))).toBe(true);
    expect(vlan.check(frame, 12, 6)).toBe(true);
    expect([vlan.id(frame, 12), vlan.priority(frame, 12), vlan.dropEligible(frame, 12)]).toEqual([100, 5, false]);
    expect(vlan.innerType(frame, 12)).toBe(ethernet.TYPE_ARP);
  });

  test('truncated, or no tag', () => {
    expect(vlan.check(frame, 12, 5)).toBe(false);
    expect(vlan.check(viewOf(hex('0800 0000 0806')), 0, 6)).toBe(false);
  });

  test('what is encoded is read', () => {
    fc.assert(
      fc.property(fc.nat(0xfff), fc.nat(7), fc.boolean(), word, (id, pcp, dei, type) => {
        const view = new DataView(new ArrayBuffer(6));
        vlan.encode(view, 0, id, pcp, dei);
        view.setUint16(4, type);
        expect(vlan.check(view, 0, 6)).toBe(true);
        expect([vlan.id(view, 0), vlan.priority(view, 0), vlan.dropEligible(view, 0), vlan.innerType(view, 0)]).toEqual(
          [id, pcp, dei, type],
        );
      }),
    );
  });
});

describe('ipip', () => {
  function nested(tos: number, mayFragment: boolean, payload: number): DataView {
    const view = new DataView(new ArrayBuffer(40 + payload));
    ipv4.encode(view, 20, 20 + payload, 7, mayFragment, 64, ipv4.PROTOCOL_UDP, 0x0af4_0105, 0x0af4_0207, tos);
    ipip.encode(view, 0, 9, 63, 0xc0a8_010a, 0xc0a8_010b);
    return view;
  }

  test('the outer header takes type of service and "do not fragment" from the inner one', () => {
    fc.assert(
      fc.property(fc.nat(255), fc.boolean(), fc.nat(100), (tos, mayFragment, payload) => {
        const view = nested(tos, mayFragment, payload);
        expect(ipip.check(view, 0, view.byteLength)).toBe(true);
        expect(ipv4.checksumValid(view, 0)).toBe(true);
        expect([ipv4.tos(view, 0), ipv4.dontFragment(view, 0), ipv4.ttl(view, 0)]).toEqual([tos, !mayFragment, 63]);
        expect(ipv4.source(view, ipip.innerOffset(view, 0))).toBe(0x0af4_0105);
      }),
    );
  });

  test('another protocol, a fragment, or an inner packet longer than the outer one', () => {
    const view = nested(0, false, 8);
    expect(ipip.check(view, 0, 47)).toBe(false);
    view.setUint8(9, ipv4.PROTOCOL_UDP);
    expect(ipip.check(view, 0, 48)).toBe(false);
    view.setUint8(9, ipv4.PROTOCOL_IPIP);
    view.setUint16(22, 29);
    expect(ipip.check(view, 0, 48)).toBe(false);
    view.setUint16(22, 28);
    view.setUint16(6, 0x2000);
    expect(ipip.check(view, 0, 48)).toBe(false);
  });
});

describe('gre', () => {
  test('known bytes: RFC 2784 plain, RFC 2890 with key and sequence', () => {
    const plain = viewOf(hex('0000 0800'));
    expect([gre.check(plain, 0, 4), gre.headerBytes(plain, 0), gre.type(plain, 0)]).toEqual([true, 4, 0x0800]);
    const keyed = viewOf(hex('3000 6558 0000002a 00000007'));
    expect([gre.key(keyed, 0), gre.sequence(keyed, 0), gre.headerBytes(keyed, 0)]).toEqual([42, 7, 12]);
  });

  test('truncated, another version, or routing of RFC 1701', () => {
    expect(gre.check(viewOf(hex('3000 6558 0000002a 000000')), 0, 11)).toBe(false);
    expect(gre.check(viewOf(hex('0001 0800')), 0, 4)).toBe(false);
    expect(gre.check(viewOf(hex('4000 0800')), 0, 4)).toBe(false);
  });

  test('what is encoded is read, and the checksum covers the payload', () => {
    fc.assert(
      fc.property(
        word,
        fc.option(long, { nil: undefined }),
        fc.option(long, { nil: undefined }),
        fc.uint8Array({ maxLength: 40 }),
        fc.boolean(),
        (type, key, sequence, payload, summed) => {
          const header = { type, key, sequence };
          const size = gre.encodedBytes(header, summed);
          const view = new DataView(new ArrayBuffer(size + payload.length));
          new Uint8Array(view.buffer).set(payload, size);
          const written = summed
            ? gre.encodeWithChecksum(view, 0, header, payload.length)
            : gre.encode(view, 0, header);
          expect([written, gre.headerBytes(view, 0)]).toEqual([size, size]);
          expect(gre.check(view, 0, view.byteLength)).toBe(true);
          expect({ type: gre.type(view, 0), key: gre.key(view, 0), sequence: gre.sequence(view, 0) }).toEqual(header);
          expect(gre.hasChecksum(view, 0)).toBe(summed);
          expect(gre.checksumValid(view, 0, view.byteLength)).toBe(true);
          if (!summed) return;
          view.setUint8(2, view.getUint8(2) ^ 1);
          expect(gre.checksumValid(view, 0, view.byteLength)).toBe(false);
        },
      ),
    );
  });
});

describe('geneve', () => {
  const option = fc.record({
    class: word,
    type: fc.nat(255),
    data: fc.nat(3).chain((words) => fc.uint8Array({ minLength: 4 * words, maxLength: 4 * words })),
  });

  test('known bytes', () => {
    const view = viewOf(hex('02 40 6558 00002a00 0102 80 01 deadbeef'));
    expect(geneve.check(view, 0, 16)).toBe(true);
    expect([geneve.vni(view, 0), geneve.type(view, 0), geneve.headerBytes(view, 0)]).toEqual([42, 0x6558, 16]);
    expect([geneve.isControl(view, 0), geneve.hasCriticalOptions(view, 0)]).toEqual([false, true]);
    expect([...geneve.options(view, 0)]).toEqual([{ class: 0x0102, type: 0x80, data: hex('deadbeef') }]);
  });

  test('truncated, another version, or an option that runs past the header', () => {
    expect(geneve.check(viewOf(hex('02 40 6558 00002a00 0102 80 01 deadbe')), 0, 15)).toBe(false);
    expect(geneve.check(viewOf(hex('40 00 6558 00002a00')), 0, 8)).toBe(false);
    expect(geneve.check(viewOf(hex('01 00 6558 00002a00 0102 80 01 deadbeef')), 0, 16)).toBe(false);
    const long = { class: 1, type: 1, data: new Uint8Array(128) };
    expect(() => geneve.encode(new DataView(new ArrayBuffer(200)), 0, { vni: 1, options: [long] })).toThrow('128');
  });

  test('what is encoded is read, byte for byte again', () => {
    fc.assert(
      fc.property(
        fc.nat(geneve.MAX_VNI),
        word,
        fc.boolean(),
        fc.array(option, { maxLength: 8 }),
        (vni, type, control, options) => {
          const view = new DataView(new ArrayBuffer(300));
          const size = geneve.encode(view, 0, { vni, type, control, options });
          expect(geneve.check(view, 0, size)).toBe(true);
          const read = {
            vni: geneve.vni(view, 0),
            type: geneve.type(view, 0),
            control: geneve.isControl(view, 0),
            options: [...geneve.options(view, 0)],
          };
          expect(read).toEqual({ vni, type, control, options });
          const again = new DataView(new ArrayBuffer(300));
          geneve.encode(again, 0, read);
          expect(bytesOf(again, size)).toEqual(bytesOf(view, size));
        },
      ),
    );
  });
});

test('foreign bytes are refused or read, never thrown over', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 96 }), fc.nat(20), (bytes, offset) => {
      const view = viewOf(bytes);
      const length = bytes.length - offset;
      if (vlan.check(view, offset, length)) expect(vlan.id(view, offset)).toBeLessThanOrEqual(vlan.MAX_ID);
      if (ipip.check(view, offset, length)) expect(ipip.innerOffset(view, offset)).toBeLessThan(bytes.length);
      if (gre.check(view, offset, length)) {
        expect(gre.headerBytes(view, offset)).toBeLessThanOrEqual(length);
        gre.key(view, offset);
        gre.sequence(view, offset);
        gre.checksumValid(view, offset, length);
      }
      if (geneve.check(view, offset, length)) {
        const size = [...geneve.options(view, offset)].reduce((sum, { data }) => sum + 4 + data.length, 8);
        expect(size).toBe(geneve.headerBytes(view, offset));
      }
    }),
    { numRuns: 5000 },
  );
});
