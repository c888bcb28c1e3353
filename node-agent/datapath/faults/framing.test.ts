import { expect, test } from 'vitest';
import { PacketMemory } from '../../../shared/wire/packet-memory.ts';
import * as vxlan from '../../../shared/wire/vxlan.ts';
import { CARD, datagrams, FRAMES } from './framing.ts';

const memory = new PacketMemory({ smallSlots: 8, largeSlots: 1 });

function datagram(vni: number, frameBytes: number) {
  const packet = memory.allocate(vxlan.HEADER_BYTES + frameBytes)!;
  vxlan.encode(memory.view, packet.offset, vni);
  return packet;
}

test('a frame of the overlay is on the wire in Ethernet, IPv4, UDP and VXLAN; one of the nodes as it is', () => {
  const framing = datagrams(memory);
  // RFC 7348 section 5: 14 + 20 + 8 + 8 bytes before the inner frame.
  expect(framing.wireBytes(datagram(1, 100))).toBe(150);
  expect(framing.wireBytes(datagram(0, 100))).toBe(100);
  expect(framing.headerBytes(datagram(1, 100))).toBe(8);
});

test('at a device a frame is its own bytes', () => {
  const packet = memory.allocate(100)!;
  expect([FRAMES.headerBytes(packet), FRAMES.wireBytes(packet)]).toEqual([0, 100]);
});

test("the card tells its own frames from the overlay's datagrams by their mark", () => {
  const own = memory.allocate(100)!;
  const overlay = datagram(1, 100);
  overlay.mark = 5;
  expect([own, overlay].map(CARD.headerBytes)).toEqual([0, 8]);
  expect([own, overlay].map(CARD.wireBytes)).toEqual([100, 150]);
});
