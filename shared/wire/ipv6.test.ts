import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { completeIpChecksums, transportChecksum } from './complete-checksums.ts';
import * as icmpv6 from './icmpv6.ts';
import * as ip from './ip.ts';
import { formatAddress, parseAddress } from './ip-address.ts';
import * as ipv6 from './ipv6.ts';
import { PacketMemory } from './packet-memory.ts';

const hex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (b) => Number.parseInt(b, 16));
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const parsed = (text: string): number => parseAddress(text)!;
const addresses = 'fd000010024400010000000000000005 fd000010024400020000000000000007';

describe('ipv6', () => {
  const echo = hex(`60 0 12345 0008 3a 40 ${addresses} 8000 0000 1234 0001`.replace('60 0 12345', '6001 2345'));

  test('known bytes', () => {
    const view = viewOf(echo);
    expect(ipv6.check(view, 0, 48)).toBe(true);
    expect(ipv6.totalLength(view, 0)).toBe(48);
    expect(ipv6.flowLabel(view, 0)).toBe(0x1_2345);
    expect(ipv6.trafficClass(view, 0)).toBe(0);
    expect(ipv6.protocol(view, 0)).toBe(ipv6.PROTOCOL_ICMPV6);
    expect(ipv6.headerBytes(view, 0)).toBe(40);
    expect(ipv6.hopLimit(view, 0)).toBe(64);
    expect(formatAddress(ipv6.source(view, 0))).toBe('fd00:10:244:1::5');
    expect(formatAddress(ipv6.destination(view, 0))).toBe('fd00:10:244:2::7');
    expect(ipv6.isFragment(view, 0)).toBe(false);
    expect(ipv6.optionsKind(view, 0)).toBe('none');
  });

  test('truncated, wrong version, too long a payload', () => {
    for (let length = 0; length < 48; length++) expect(ipv6.check(viewOf(echo), 0, length)).toBe(false);
    const wrong = echo.slice();
    wrong[0] = 0x40;
    expect(ipv6.check(viewOf(wrong), 0, 48)).toBe(false);
  });

  test('the chain of extension headers is walked to the upper layer', () => {
    const chain = `2b00 0104 00000000 2c00 0000 00000000 1100 0001 0000beef ${'a'.repeat(16)}`;
    const packet = hex(`60000000 0020 00 40 ${addresses} ${chain}`);
    const view = viewOf(packet);
    expect(ipv6.check(view, 0, packet.length)).toBe(true);
    expect(ipv6.protocol(view, 0)).toBe(17);
    expect(ipv6.headerBytes(view, 0)).toBe(64);
    expect(ipv6.isFragment(view, 0)).toBe(true);
    expect(ipv6.moreFragments(view, 0)).toBe(true);
    expect(ipv6.fragmentOffset(view, 0)).toBe(0);
    expect(ipv6.identification(view, 0)).toBe(0xbeef);
    expect(ipv6.optionsKind(view, 0)).toBe('plain');
  });

  test('a later fragment ends the chain, whatever its next header says', () => {
    const packet = hex(`60000000 0010 2c 40 ${addresses} 0000 0009 00000001 ffffffffffffffff`);
    const view = viewOf(packet);
    expect(ipv6.check(view, 0, packet.length)).toBe(true);
    expect(ipv6.fragmentOffset(view, 0)).toBe(8);
    expect(ipv6.headerBytes(view, 0)).toBe(48);
  });

  test.each([
    ['an extension past the end', '0008 00 40', '3a01 0104 00000000'],
    ['hop-by-hop options that are not first', '0010 3c 40', '0000 0104 00000000 3a00 0104 00000000'],
    ['a fragment header cut short', '0004 2c 40', '3a00 0001'],
  ])('%s', (_name, fields, rest) => {
    const packet = hex(`60000000 ${fields} ${addresses} ${rest}`);
    expect(ipv6.check(viewOf(packet), 0, packet.length)).toBe(false);
  });

  test.each([
    ['plain', '00', '3a00 0502 00000000'], // router alert: skipped by who does not know it
    ['unknown', '00', '3a00 c204 00000000'],
    ['malformed', '00', '3a00 0109 00000000'],
    ['source-route', '2b', '3a00 0001 00000000'],
  ])('options: %s', (kind, first, rest) => {
    const packet = hex(`60000000 0008 ${first} 40 ${addresses} ${rest}`);
    expect(ipv6.check(viewOf(packet), 0, packet.length)).toBe(true);
    expect(ipv6.optionsKind(viewOf(packet), 0)).toBe(kind);
  });

  test('what is encoded is read', () => {
    const [byte, label] = [fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 0xf_ffff })];
    fc.assert(
      fc.property(byte, byte, label, (hops, tos, flow) => {
        const view = new DataView(new ArrayBuffer(60));
        ipv6.encode(view, 0, 60, hops, 17, parsed('fd00::1'), parsed('fd00::2'), tos, flow);
        expect(ipv6.check(view, 0, 60)).toBe(true);
        expect([ipv6.hopLimit(view, 0), ipv6.trafficClass(view, 0), ipv6.flowLabel(view, 0)]).toEqual([
          hops,
          tos,
          flow,
        ]);
        expect([ip.source(view, 0), ip.destination(view, 0)]).toEqual([parsed('fd00::1'), parsed('fd00::2')]);
      }),
    );
  });

  test('any bytes at all are read without an exception or an endless walk', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 120 }),
        fc.constantFrom(0, 43, 44, 60, 58),
        (bytes, next) => {
          bytes[0] = 0x60;
          if (bytes.length > 6) bytes[6] = next;
          const view = viewOf(bytes);
          if (!ip.check(view, 0, bytes.length)) return;
          expect(ip.headerBytes(view, 0)).toBeLessThanOrEqual(ip.totalLength(view, 0));
          ipv6.optionsKind(view, 0);
          ip.protocol(view, 0);
          ip.fragmentOffset(view, 0);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('icmpv6', () => {
  test('a neighbour solicitation, byte for byte', () => {
    const view = new DataView(new ArrayBuffer(32));
    icmpv6.encodeNeighbour(view, 0, icmpv6.NEIGHBOUR_SOLICITATION, 0, parsed('fd00::2'), 0x0a58_0af4_0105);
    const expected = '87000000 00000000 fd000000000000000000000000000002 0101 0a580af40105';
    expect(new Uint8Array(view.buffer)).toEqual(hex(expected));
    expect(icmpv6.checkDiscovery(view, 0, 32)).toBe(true);
    expect(formatAddress(icmpv6.target(view, 0))).toBe('fd00::2');
    expect(icmpv6.linkAddress(view, 0, 32, icmpv6.OPTION_SOURCE_LINK_ADDRESS)).toBe(0x0a58_0af4_0105);
    expect(icmpv6.linkAddress(view, 0, 32, icmpv6.OPTION_TARGET_LINK_ADDRESS)).toBe(-1);
  });

  test('truncated, an option of length 0, an option past the end', () => {
    const view = new DataView(new ArrayBuffer(32));
    icmpv6.encodeNeighbour(view, 0, icmpv6.NEIGHBOUR_ADVERTISEMENT, icmpv6.FLAG_SOLICITED, parsed('fd00::2'), 1);
    expect(icmpv6.flags(view, 0)).toBe(icmpv6.FLAG_SOLICITED);
    for (const length of [8, 23, 25, 31]) expect(icmpv6.checkDiscovery(view, 0, length)).toBe(false);
    view.setUint8(25, 0);
    expect(icmpv6.checkDiscovery(view, 0, 32)).toBe(false);
    view.setUint8(25, 2);
    expect(icmpv6.checkDiscovery(view, 0, 32)).toBe(false);
  });

  test('router solicitation and advertisement are read as they were written', () => {
    const view = new DataView(new ArrayBuffer(80));
    const solicitation = icmpv6.encodeRouterSolicitation(view, 0, 0x0200_0000_0001);
    expect(icmpv6.checkDiscovery(view, 0, solicitation)).toBe(true);
    expect(icmpv6.linkAddress(view, 0, solicitation, icmpv6.OPTION_SOURCE_LINK_ADDRESS)).toBe(0x0200_0000_0001);
    const prefix = { prefix: parsed('fd00:10:244:1::'), prefixLength: 64 };
    const advertisement = { hopLimit: 64, lifetimeS: 1800, mac: 0x0200_0000_0002, mtuBytes: 1450, ...prefix };
    const length = icmpv6.encodeRouterAdvertisement(view, 0, advertisement);
    expect(icmpv6.checkDiscovery(view, 0, length)).toBe(true);
    expect(icmpv6.readRouterAdvertisement(view, 0, length)).toEqual(advertisement);
  });

  test('the checksum covers the pseudo header', () => {
    const memory = new PacketMemory({ smallSlots: 1, largeSlots: 1 });
    // An echo request: identifier 1, sequence 1, no data.
    const packet = memory.allocate(48)!;
    const { view } = memory;
    ipv6.encode(view, packet.offset, 48, 64, ipv6.PROTOCOL_ICMPV6, parsed('fe80::1'), parsed('fe80::2'));
    view.setUint32(packet.offset + 40, 0x8000_0000);
    view.setUint32(packet.offset + 44, 0x0001_0001);
    completeIpChecksums(memory, packet.offset, 48);
    // fe80 + 1 + fe80 + 2 + 58 + 8 + 8000 + 1 + 1, folded and complemented
    expect(view.getUint16(packet.offset + 42)).toBe(0x82b6);
    expect(transportChecksum(memory, packet.offset, packet.offset + 40, 8)).toBe(0);
  });
});
