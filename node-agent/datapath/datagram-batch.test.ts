import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as arp from '../../shared/wire/arp.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import * as ipv6 from '../../shared/wire/ipv6.ts';
import * as vxlan from '../../shared/wire/vxlan.ts';
import { batchedDatagramBytes } from './datagram-batch.ts';

const LEAD = 22;

/** A VXLAN datagram with an IPv4 packet of so many bytes. */
function datagram(ipBytes: number): Uint8Array {
  const bytes = new Uint8Array(LEAD + ipBytes);
  const view = new DataView(bytes.buffer);
  vxlan.encode(view, 0, 1);
  ethernet.encode(view, vxlan.HEADER_BYTES, 1, 2, ethernet.TYPE_IPV4);
  ipv4.encode(view, LEAD, ipBytes, 1, false, 64, ipv4.PROTOCOL_UDP, 1, 2);
  return bytes;
}

function sizeOf(...datagrams: Uint8Array[]): number {
  const bytes = Uint8Array.from(datagrams.flatMap((one) => [...one]));
  return batchedDatagramBytes(new DataView(bytes.buffer), 0, bytes.length);
}

it('finds the size of joined datagrams, the last of which may be shorter', () => {
  const batch = fc.record({ ipBytes: fc.integer({ min: 20, max: 1450 }), count: fc.integer({ min: 1, max: 40 }) });
  fc.assert(
    fc.property(batch, fc.integer({ min: 20, max: 1450 }), ({ ipBytes, count }, last) => {
      const whole = Array.from({ length: count }, () => datagram(ipBytes));
      expect(sizeOf(...whole)).toBe(LEAD + ipBytes);
      if (last < ipBytes) expect(sizeOf(...whole, datagram(last))).toBe(LEAD + ipBytes);
    }),
  );
});

it('leaves alone what does not divide into datagrams of one size', () => {
  const padded = Uint8Array.from([...datagram(30), ...new Uint8Array(16)]);
  expect(sizeOf(padded)).toBe(padded.length);
  expect(sizeOf(datagram(100), datagram(101))).toBe(2 * LEAD + 201);
  expect(sizeOf(datagram(100), datagram(100).subarray(0, 60))).toBe(2 * LEAD + 100 + 38);
  expect(sizeOf(new Uint8Array(3000))).toBe(3000);
  expect(sizeOf(new Uint8Array(5))).toBe(5);
});

it('knows ARP, IPv6 and a VLAN tag', () => {
  const neighbour = new Uint8Array(LEAD + arp.PACKET_BYTES);
  vxlan.encode(new DataView(neighbour.buffer), 0, 0);
  ethernet.encode(new DataView(neighbour.buffer), vxlan.HEADER_BYTES, 1, 2, ethernet.TYPE_ARP);
  expect(sizeOf(neighbour, neighbour, neighbour)).toBe(neighbour.length);

  const six = new Uint8Array(LEAD + ipv6.HEADER_BYTES + 60);
  const view = new DataView(six.buffer);
  vxlan.encode(view, 0, 1);
  ethernet.encode(view, vxlan.HEADER_BYTES, 1, 2, ethernet.TYPE_IPV6);
  view.setUint8(LEAD, 0x60);
  ipv6.setTotalLength(view, LEAD, ipv6.HEADER_BYTES + 60);
  expect(sizeOf(six, six)).toBe(six.length);

  const plain = datagram(64);
  const tagged = Uint8Array.from([...plain.subarray(0, 20), 0x81, 0, 0, 7, ...plain.subarray(20)]);
  expect(sizeOf(tagged, tagged)).toBe(tagged.length);
});
