import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { enhancedPacket, interfaceDescription, interfaceStatistics, sectionHeader } from './pcap.ts';
import { CaptureFormatError, PcapngReader, type ReadItem } from './pcapng-reader.ts';

const direction = fc.constantFrom('inbound', 'outbound', undefined);
const packet = fc.record({
  interfaceId: fc.nat(1),
  timestampNs: fc.bigInt({ min: 0n, max: 2n ** 63n }),
  bytes: fc.uint8Array({ maxLength: 80 }),
  originalBytes: fc.nat(100_000),
  direction,
  comment: fc.option(fc.string({ unit: 'grapheme', maxLength: 30 }), { nil: undefined }),
});

const HEAD = [
  sectionHeader('podwire'),
  interfaceDescription({ name: 'worker-1 cni0', description: 'bridge 10.244.1.1' }),
  interfaceDescription({ name: 'worker-1 dropped' }),
];

function readAll(bytes: Uint8Array, pieceBytes: number): ReadItem[] {
  const reader = new PcapngReader();
  const items: ReadItem[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) items.push(...reader.push(bytes.slice(at, at + pieceBytes)));
  expect(reader.pendingBytes).toBe(0);
  return items;
}

describe('a pcapng reader', () => {
  test('reads what is written, in pieces of any size', () => {
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 5 }), fc.integer({ min: 1, max: 300 }), (packets, pieceBytes) => {
        const items = readAll(Buffer.concat([...HEAD, ...packets.map(enhancedPacket)]), pieceBytes);
        expect(items.slice(0, 2)).toMatchObject([
          {
            kind: 'interface',
            interface: { id: 0, linkType: 1, name: 'worker-1 cni0', description: 'bridge 10.244.1.1' },
          },
          { kind: 'interface', interface: { id: 1, name: 'worker-1 dropped', description: undefined } },
        ]);
        const read = items.slice(2).flatMap((item) => (item.kind === 'packet' ? [item] : []));
        expect(read.map((item) => ({ ...item, interface: item.interface.id, bytes: [...item.bytes] }))).toEqual(
          packets.map(({ interfaceId, timestampNs, bytes, originalBytes, comment, direction: way }) => ({
            ...{ kind: 'packet', interface: interfaceId, timestampNs, bytes: [...bytes] },
            ...{ wireBytes: originalBytes, comment, direction: way },
          })),
        );
      }),
    );
  });

  test('reads statistics', () => {
    const counters = { accepted: 12, dropped: 3, delivered: 9 };
    const items = readAll(
      Buffer.concat([...HEAD, interfaceStatistics({ interfaceId: 1, timestampNs: 5n, ...counters })]),
      7,
    );
    expect(items.at(-1)).toMatchObject({ kind: 'statistics', interface: { id: 1 }, timestampNs: 5n, ...counters });
  });

  test('reads the other byte order, and time stamps in microseconds', () => {
    const words = (...values: number[]): Buffer => {
      const bytes = Buffer.alloc(values.length * 4);
      for (const [index, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, index * 4);
      return bytes;
    };
    const section = words(0x0a0d0d0a, 28, 0x1a2b3c4d, 0x0001_0000, -1, -1, 28);
    const description = words(1, 20, 0x0001_0000, 0, 20);
    const one = words(6, 36, 0, 0, 2_000_000, 4, 60, 0xdead_beef, 36);
    const [, read] = readAll(Buffer.concat([section, description, one]), 1000);
    expect(read).toMatchObject({ kind: 'packet', timestampNs: 2_000_000_000n, wireBytes: 60 });
  });

  test('refuses what is no pcapng, and what is damaged', () => {
    const read = (...parts: Uint8Array[]) => new PcapngReader().push(Buffer.concat(parts));
    expect(() => read(Buffer.from('GET / HTTP/1.1\r\n\r\n'))).toThrow('this is no pcapng');
    const orphan = enhancedPacket({ interfaceId: 0, timestampNs: 0n, bytes: new Uint8Array(4) });
    expect(() => read(HEAD[0]!, orphan)).toThrow('the capture has no interface 0');
    const endless = Buffer.from(HEAD[1]!);
    endless.writeUInt32LE(0x7fff_fff0, 4);
    expect(() => read(HEAD[0]!, endless)).toThrow('claims 2147483632 bytes');
  });

  test('any change of any byte is read or refused, never anything else', () => {
    const whole = Buffer.concat([
      ...HEAD,
      enhancedPacket({ interfaceId: 0, timestampNs: 1n, bytes: new Uint8Array(60), comment: 'accepted' }),
      interfaceStatistics({ interfaceId: 0, timestampNs: 1n, accepted: 1, dropped: 0, delivered: 1 }),
    ]);
    const changes = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(changes, fc.integer({ min: 1, max: 300 }), (changed, pieceBytes) => {
        const bytes = Buffer.from(whole);
        for (const [at, value] of changed) bytes[at] = value;
        const reader = new PcapngReader();
        try {
          for (let at = 0; at < bytes.length; at += pieceBytes) reader.push(bytes.subarray(at, at + pieceBytes));
        } catch (error) {
          expect(error).toBeInstanceOf(CaptureFormatError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
