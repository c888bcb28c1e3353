import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../shared/netstack/seeded-random.ts';
import * as ethernet from '../../../shared/wire/ethernet.ts';
import { PacketMemory } from '../../../shared/wire/packet-memory.ts';
import { flipBit } from './corruption.ts';

const memory = new PacketMemory({ smallSlots: 8, largeSlots: 1 });
const random = seededRandom(1);

/** Which bytes of a frame of zeros differ after so many attempts, each on a fresh frame. */
function flipped(etherType: number, length: number, headerBytes: number): Set<number> | 'refused' {
  const places = new Set<number>();
  for (let i = 0; i < 2000; i++) {
    const packet = memory.allocate(headerBytes + length)!;
    const frame = packet.offset + headerBytes;
    memory.bytes.fill(0, packet.offset, packet.offset + packet.length);
    memory.view.setUint16(frame + 12, etherType);
    const before = memory.bytes.slice(packet.offset, packet.offset + packet.length);
    const done = flipBit(memory, packet, headerBytes, random);
    const after = memory.bytes.slice(packet.offset, packet.offset + packet.length);
    memory.free(packet);
    const changed = [...after].flatMap((byte, at) => (byte === before[at] ? [] : [[at, byte ^ before[at]!] as const]));
    if (!done) {
      expect(changed).toEqual([]);
      return 'refused';
    }
    expect(changed).toHaveLength(1);
    const [at, difference] = changed[0]!;
    expect(Math.log2(difference) % 1).toBe(0);
    places.add(at - headerBytes);
  }
  return places;
}

describe('one bit is flipped', () => {
  test.each([
    ['IPv4, anywhere behind the Ethernet header', ethernet.TYPE_IPV4, 14],
    ['IPv6, behind its header', ethernet.TYPE_IPV6, 54],
  ])('%s', (_, type, from) => {
    for (const headerBytes of [0, 8]) {
      const places = flipped(type, 74, headerBytes) as Set<number>;
      expect([...places].sort((a, b) => a - b)).toEqual(Array.from({ length: 74 - from }, (__, i) => from + i));
    }
  });

  test('not in what has no checksum', () => {
    expect(flipped(ethernet.TYPE_ARP, 42, 8)).toBe('refused');
    expect(flipped(ethernet.TYPE_IPV6, 54, 0)).toBe('refused');
    expect(flipped(ethernet.TYPE_IPV4, 14, 0)).toBe('refused');
  });
});
