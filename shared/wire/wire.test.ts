/** Known bytes, truncation, bad lengths, and what must hold for any bytes at all, for every protocol. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as arp from './arp.ts';
import * as checksum from './checksum.ts';
import { completeChecksums, transportChecksum } from './complete-checksums.ts';
import * as ethernet from './ethernet.ts';
import * as icmp from './icmp.ts';
import * as ipv4 from './ipv4.ts';
import { PacketMemory } from './packet-memory.ts';
import * as tcp from './tcp.ts';
import * as udp from './udp.ts';
import * as vxlan from './vxlan.ts';

const hex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (b) => Number.parseInt(b, 16));
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const byte = fc.integer({ min: 0, max: 0xff });
const word = fc.integer({ min: 0, max: 0xffff });
const long = fc.integer({ min: 0, max: 0xffff_ffff });
const mac = fc.integer({ min: 0, max: 0xffff_ffff_ffff });

describe('ethernet', () => {
  const view = viewOf(hex('ffffffffffff 020000000001 0806'));

  test('known bytes', () => {
    expect(ethernet.check(view, 0, 14)).toBe(true);
    expect(ethernet.destination(view, 0)).toBe(ethernet.BROADCAST);
    expect(ethernet.source(view, 0)).toBe(0x0200_0000_0001);
    expect(ethernet.type(view, 0)).toBe(ethernet.TYPE_ARP);
    expect(ethernet.isGroup(ethernet.destination(view, 0))).toBe(true);
    expect(ethernet.isGroup(ethernet.source(view, 0))).toBe(false);
  });

  test('truncated', () => expect(ethernet.check(view, 0, 13)).toBe(false));

  test('what is encoded is read', () => {
    fc.assert(
      fc.property(mac, mac, word, (to, from, type) => {
        const header = new DataView(new ArrayBuffer(14));
        ethernet.encode(header, 0, to, from, type);
        expect([ethernet.destination(header, 0), ethernet.source(header, 0), ethernet.type(header, 0)]).toEqual([
          to,
          from,
          type,
        ]);
      }),
    );
  });

  test('RFC 1112 section 6.4: the group address holds the low 23 bits', () => {
    expect(ethernet.multicastMac(0xe080_0001)).toBe(0x0100_5e00_0001);
  });
});

describe('arp', () => {
  const request = hex('0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002');

  test('known bytes', () => {
    const view = viewOf(request);
    expect(arp.check(view, 0, 28)).toBe(true);
    expect(arp.operation(view, 0)).toBe(arp.REQUEST);
    expect(arp.senderMac(view, 0)).toBe(0x0200_0000_0001);
    expect(arp.senderIp(view, 0)).toBe(0x0a00_0001);
    expect(arp.targetMac(view, 0)).toBe(0);
    expect(arp.targetIp(view, 0)).toBe(0x0a00_0002);
  });

  test('truncated, or not of Ethernet and IPv4', () => {
    expect(arp.check(viewOf(request), 0, 27)).toBe(false);
    for (const at of [1, 2, 4, 5]) {
      const other = request.slice();
      other[at]! ^= 1;
      expect(arp.check(viewOf(other), 0, 28)).toBe(false);
    }
  });

  test('what is encoded is read', () => {
    fc.assert(
      fc.property(word, mac, long, mac, long, (...fields) => {
        const view = new DataView(new ArrayBuffer(28));
        arp.encode(view, 0, ...fields);
        expect(arp.check(view, 0, 28)).toBe(true);
        expect([
          arp.operation(view, 0),
          arp.senderMac(view, 0),
          arp.senderIp(view, 0),
          arp.targetMac(view, 0),
          arp.targetIp(view, 0),
        ]).toEqual(fields);
      }),
    );
  });
});

describe('ipv4', () => {
  // The example of RFC 1071's readers: checksum b1e6.
  const known = hex('45 00 003c 1c46 4000 40 06 b1e6 ac100a63 ac100a0c').slice();

  const packet = (header: Uint8Array, total: number): DataView => {
    const bytes = new Uint8Array(total);
    bytes.set(header);
    return viewOf(bytes);
  };

  test('known bytes', () => {
    const view = packet(known, 60);
    expect(ipv4.check(view, 0, 60)).toBe(true);
    expect(ipv4.checksumValid(view, 0)).toBe(true);
    expect(ipv4.headerBytes(view, 0)).toBe(20);
    expect(ipv4.totalLength(view, 0)).toBe(60);
    expect(ipv4.identification(view, 0)).toBe(0x1c46);
    expect(ipv4.dontFragment(view, 0)).toBe(true);
    expect(ipv4.moreFragments(view, 0)).toBe(false);
    expect(ipv4.isFragment(view, 0)).toBe(false);
    expect(ipv4.ttl(view, 0)).toBe(64);
    expect(ipv4.protocol(view, 0)).toBe(ipv4.PROTOCOL_TCP);
    expect(ipv4.checksum(view, 0)).toBe(0xb1e6);
    expect(ipv4.source(view, 0)).toBe(0xac10_0a63);
    expect(ipv4.destination(view, 0)).toBe(0xac10_0a0c);
  });

  test('encode writes the same bytes', () => {
    const view = new DataView(new ArrayBuffer(20));
    ipv4.encode(view, 0, 60, 0x1c46, false, 64, ipv4.PROTOCOL_TCP, 0xac10_0a63, 0xac10_0a0c);
    expect(new Uint8Array(view.buffer)).toEqual(known);
  });

  test('bad lengths and versions', () => {
    expect(ipv4.check(packet(known, 60), 0, 59)).toBe(false);
    expect(ipv4.check(packet(known, 60), 0, 19)).toBe(false);
    for (const [at, value] of [
      [0, 0x44],
      [0, 0x65],
      [0, 0x4f],
      [3, 19],
    ] as const) {
      const bad = known.slice();
      bad[2] = 0;
      bad[at] = value;
      if (at === 0) bad[3] = 40;
      expect(ipv4.check(packet(bad, 60), 0, 60)).toBe(false);
    }
  });

  test('the TTL goes down and the checksum stays right (RFC 1624)', () => {
    fc.assert(
      fc.property(long, long, fc.integer({ min: 1, max: 255 }), word, (from, to, ttl, id) => {
        const view = new DataView(new ArrayBuffer(20));
        ipv4.encode(view, 0, 20, id, true, ttl, 17, from, to);
        ipv4.decrementTtl(view, 0);
        expect(ipv4.ttl(view, 0)).toBe(ttl - 1);
        expect(ipv4.checksumValid(view, 0)).toBe(true);
      }),
    );
  });

  test('a fragment', () => {
    const view = packet(known, 60);
    ipv4.setFragment(view, 0, 60, 1480, true);
    expect(ipv4.fragmentOffset(view, 0)).toBe(1480);
    expect(ipv4.moreFragments(view, 0)).toBe(true);
    expect(ipv4.isFragment(view, 0)).toBe(true);
    expect(ipv4.checksumValid(view, 0)).toBe(true);
  });

  test.each([
    ['01010101', 'plain'],
    ['00ffffff', 'plain'],
    ['83070400', 'malformed'],
    ['83030000', 'source-route'],
    ['07000000', 'malformed'],
    ['01010107', 'malformed'],
  ])('options %s are %s', (options, kind) => {
    const bytes = new Uint8Array(24);
    bytes.set(known);
    bytes[0] = 0x46;
    bytes.set(hex(options), 20);
    expect(ipv4.optionsKind(viewOf(bytes), 0)).toBe(kind);
  });
});

describe('icmp, udp and vxlan', () => {
  test('icmp: what is encoded is read', () => {
    fc.assert(
      fc.property(byte, byte, word, word, (type, code, identifier, sequence) => {
        const view = new DataView(new ArrayBuffer(8));
        icmp.encode(view, 0, type, code, ((identifier << 16) | sequence) >>> 0);
        expect(icmp.check(view, 0, 8)).toBe(true);
        expect([icmp.type(view, 0), icmp.code(view, 0), icmp.identifier(view, 0), icmp.sequence(view, 0)]).toEqual([
          type,
          code,
          identifier,
          sequence,
        ]);
      }),
    );
    expect(icmp.check(new DataView(new ArrayBuffer(8)), 0, 7)).toBe(false);
  });

  test('udp: lengths', () => {
    const view = new DataView(new ArrayBuffer(20));
    udp.encode(view, 0, 53, 4000, 20);
    expect(udp.check(view, 0, 20)).toBe(true);
    expect(udp.check(view, 0, 19)).toBe(false);
    expect(udp.check(view, 0, 7)).toBe(false);
    udp.encode(view, 0, 53, 4000, 7);
    expect(udp.check(view, 0, 20)).toBe(false);
  });

  test('udp: a checksum of 0 is written as all ones, for 0 means none (RFC 768)', () => {
    const view = new DataView(new ArrayBuffer(8));
    udp.setChecksum(view, 0, 0);
    expect(udp.checksum(view, 0)).toBe(0xffff);
  });

  test('vxlan: known bytes of RFC 7348, and a packet without the I flag', () => {
    const view = viewOf(hex('08000000 00002a00'));
    expect(vxlan.check(view, 0, 8)).toBe(true);
    expect(vxlan.vni(view, 0)).toBe(42);
    expect(vxlan.check(view, 0, 7)).toBe(false);
    expect(vxlan.check(viewOf(hex('00000000 00002a00')), 0, 8)).toBe(false);
    const encoded = new DataView(new ArrayBuffer(8));
    vxlan.encode(encoded, 0, vxlan.MAX_VNI);
    expect(vxlan.vni(encoded, 0)).toBe(vxlan.MAX_VNI);
  });
});

describe('tcp', () => {
  const options = new tcp.TcpOptions();

  test('a SYN of Linux', () => {
    const view = viewOf(
      hex('a1b2 0050 11223344 00000000 a0 02 faf0 0000 0000 020405b4 0402 080a 00000102 00000000 01 030307'),
    );
    expect(tcp.check(view, 0, 40)).toBe(true);
    expect(tcp.readOptions(view, 0, options)).toBe(true);
    expect(tcp.sourcePort(view, 0)).toBe(0xa1b2);
    expect(tcp.destinationPort(view, 0)).toBe(80);
    expect(tcp.sequence(view, 0)).toBe(0x1122_3344);
    expect(tcp.flags(view, 0)).toBe(tcp.SYN);
    expect(tcp.window(view, 0)).toBe(64_240);
    expect(options).toMatchObject({
      mss: 1460,
      windowScale: 7,
      sackPermitted: true,
      hasTimestamps: true,
      timestampValue: 0x102,
    });
  });

  test('bad data offsets', () => {
    const view = new DataView(new ArrayBuffer(24));
    view.setUint8(12, 0x40);
    expect(tcp.check(view, 0, 24)).toBe(false);
    view.setUint8(12, 0x70);
    expect(tcp.check(view, 0, 24)).toBe(false);
    expect(tcp.check(view, 0, 19)).toBe(false);
  });

  test('written options are read', () => {
    fc.assert(
      fc.property(
        word,
        fc.integer({ min: 0, max: 14 }),
        long,
        long,
        fc.array(fc.tuple(long, long), { maxLength: 2 }),
        (mss, scale, value, echo, blocks) => {
          const view = new DataView(new ArrayBuffer(80));
          let at = tcp.writeMss(view, 20, mss);
          at = tcp.writeSackPermitted(view, at);
          at = tcp.writeTimestamps(view, at, value, echo);
          at = tcp.writeWindowScale(view, at, scale);
          if (blocks.length === 1) at = tcp.writeSack(view, at, Uint32Array.from(blocks.flat()), 1);
          tcp.encode(view, 0, 1, 2, 3, 4, at, tcp.ACK, 5);
          expect(tcp.readOptions(view, 0, options)).toBe(true);
          expect(options).toMatchObject({
            mss,
            windowScale: scale,
            timestampValue: value,
            timestampEcho: echo,
            sackPermitted: true,
          });
          if (blocks.length === 1) expect([...options.sackEdges.slice(0, 2)]).toEqual(blocks[0]);
        },
      ),
    );
  });

  test('an option that runs past the header is refused', () => {
    const view = viewOf(hex('0000 0000 00000000 00000000 60 10 0000 0000 0000 080a0000'));
    expect(tcp.check(view, 0, 24)).toBe(true);
    expect(tcp.readOptions(view, 0, options)).toBe(false);
  });
});

describe('any bytes at all', () => {
  test('are checked and read without a throw', () => {
    const options = new tcp.TcpOptions();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.integer({ min: 0, max: 110 }), (bytes, length) => {
        const view = viewOf(bytes);
        if (ethernet.check(view, 0, length)) ethernet.type(view, 0);
        if (arp.check(view, 0, length)) arp.targetIp(view, 0);
        if (ipv4.check(view, 0, length)) {
          ipv4.checksumValid(view, 0);
          ipv4.optionsKind(view, 0);
        }
        if (icmp.check(view, 0, length)) icmp.sequence(view, 0);
        if (udp.check(view, 0, length)) udp.checksum(view, 0);
        if (tcp.check(view, 0, length)) tcp.readOptions(view, 0, options);
        if (vxlan.check(view, 0, length)) vxlan.vni(view, 0);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('checksums', () => {
  const memory = new PacketMemory({ smallSlots: 16, largeSlots: 2 });

  test('RFC 1071 section 3: the example', () => {
    expect(checksum.sumRangeScalar(viewOf(hex('0001 f203 f4f5 f6f7')), 0, 8)).toBe(0xddf2);
  });

  test('SIMD and scalar agree on every alignment and length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 300 }), fc.integer({ min: 0, max: 40 }), (bytes, offset) => {
        memory.bytes.set(bytes, offset);
        expect(memory.sum(offset, bytes.length)).toBe(checksum.sumRangeScalar(memory.view, offset, bytes.length));
      }),
      { numRuns: 1000 },
    );
  });

  test('the longest range of all ones does not overflow', () => {
    memory.bytes.fill(0xff);
    expect(memory.sum(1, 65_535)).toBe(checksum.sumRangeScalar(memory.view, 1, 65_535));
  });

  test('RFC 1624: an update equals a new sum', () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 4, maxLength: 20 }), word, long, (words, after16, after32) => {
        const view = new DataView(new ArrayBuffer(words.length * 2));
        for (const [index, value] of words.entries()) view.setUint16(index * 2, value);
        const sum = (): number => checksum.finish(checksum.sumRangeScalar(view, 0, view.byteLength));
        const before16 = view.getUint16(0);
        const updated16 = checksum.update16(sum(), before16, after16);
        view.setUint16(0, after16);
        expect(same(updated16, sum())).toBe(true);
        const before32 = view.getUint32(4);
        const updated32 = checksum.update32(sum(), before32, after32);
        view.setUint32(4, after32);
        expect(same(updated32, sum())).toBe(true);
      }),
    );
  });

  test('a packet that leaves the process gets its transport checksum, and keeps it when it is not trusted', () => {
    const packet = memory.allocate(14 + 20 + 8 + 5)!;
    const { view, bytes } = memory;
    const network = packet.offset + 14;
    ethernet.encode(view, packet.offset, 1, 2, ethernet.TYPE_IPV4);
    ipv4.encode(view, network, 33, 1, true, 64, ipv4.PROTOCOL_UDP, 0x0a00_0001, 0x0a00_0002);
    udp.encode(view, network + 20, 1000, 53, 13);
    bytes.set([1, 2, 3, 4, 5], network + 28);
    packet.checksumTrusted = true;
    completeChecksums(memory, packet);
    expect(packet.checksumTrusted).toBe(false);
    expect(transportChecksum(memory, network, network + 20, 13)).toBe(0);
    const written = udp.checksum(view, network + 20);
    completeChecksums(memory, packet);
    expect(udp.checksum(view, network + 20)).toBe(written);
  });
});

/** 0 and 0xffff are one number in one's complement. */
function same(a: number, b: number): boolean {
  return a === b || (a % 0xffff === 0 && b % 0xffff === 0);
}
