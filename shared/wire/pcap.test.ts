import { describe, expect, test } from 'vitest';
import { enhancedPacket, interfaceDescription, sectionHeader } from './pcap.ts';

/** Type and body of each block; both lengths of every block must agree. */
function blocks(bytes: Uint8Array): { type: number; body: Uint8Array }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: { type: number; body: Uint8Array }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint32(at + 4, true);
    expect(length % 4).toBe(0);
    expect(view.getUint32(at + length - 4, true)).toBe(length);
    found.push({ type: view.getUint32(at, true), body: bytes.subarray(at + 8, at + length - 4) });
    at += length;
  }
  return found;
}

describe('pcapng', () => {
  test('a section, an interface and a packet with a comment', () => {
    const capture = [
      sectionHeader('podwire'),
      interfaceDescription({ name: 'eth0', description: 'default/web' }),
      enhancedPacket({
        interfaceId: 0,
        timestampNs: 1_700_000_000_123_456_789n,
        bytes: Uint8Array.of(1, 2, 3, 4, 5),
        comment: 'accepted',
        direction: 'outbound',
      }),
    ].flatMap((block) => [...block]);
    const [section, description, packet] = blocks(Uint8Array.from(capture));
    expect(section!.type).toBe(0x0a0d0d0a);
    expect([...section!.body.subarray(0, 4)]).toEqual([0x4d, 0x3c, 0x2b, 0x1a]);
    expect(description!.type).toBe(1);
    expect(new TextDecoder().decode(description!.body)).toContain('eth0');
    expect(packet!.type).toBe(6);
    const view = new DataView(packet!.body.buffer, packet!.body.byteOffset);
    const timestamp = (BigInt(view.getUint32(4, true)) << 32n) | BigInt(view.getUint32(8, true));
    expect(timestamp).toBe(1_700_000_000_123_456_789n);
    expect(view.getUint32(12, true)).toBe(5);
    expect([...packet!.body.subarray(20, 25)]).toEqual([1, 2, 3, 4, 5]);
    expect(new TextDecoder().decode(packet!.body)).toContain('accepted');
  });

  test('a cut packet says how long it was', () => {
    const [packet] = blocks(
      enhancedPacket({ interfaceId: 3, timestampNs: 0n, bytes: new Uint8Array(4), originalBytes: 1500 }),
    );
    const view = new DataView(packet!.body.buffer, packet!.body.byteOffset);
    expect([view.getUint32(0, true), view.getUint32(12, true), view.getUint32(16, true)]).toEqual([3, 4, 1500]);
  });
});
