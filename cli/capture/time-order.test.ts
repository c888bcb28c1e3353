import { describe, expect, it } from 'vitest';
import type { ReadPacket } from '../../shared/wire/pcapng-reader.ts';
import { TimeOrder } from './time-order.ts';

const packet = (timestampNs: bigint, size = 10): ReadPacket => ({
  kind: 'packet',
  interface: { id: 0, linkType: 1, name: 'eth0', description: undefined },
  timestampNs,
  bytes: new Uint8Array(size),
  wireBytes: size,
  direction: undefined,
  comment: undefined,
});

const stamps = (arrivals: readonly { packet: ReadPacket }[]) =>
  arrivals.map((arrival) => Number(arrival.packet.timestampNs));

describe('packets of several nodes', () => {
  it('come out in the order of their time stamps', () => {
    const order = new TimeOrder<string>();
    order.push({ source: 'worker-1', packet: packet(30n) }, 0);
    order.push({ source: 'worker-2', packet: packet(10n) }, 40);
    order.push({ source: 'worker-2', packet: packet(50n) }, 90);
    expect(order.takeDue(100)).toEqual([]);
    expect(stamps(order.takeDue(155))).toEqual([10, 30]);
    expect(stamps(order.takeDue(1000))).toEqual([50]);
    expect(order.takeDue(2000)).toEqual([]);
  });

  it('are all let go of at the end', () => {
    const order = new TimeOrder<string>();
    for (const stamp of [3n, 1n, 2n]) order.push({ source: 'worker-1', packet: packet(stamp) }, 0);
    expect(stamps(order.takeAll())).toEqual([1, 2, 3]);
  });

  it('are not held without bound', () => {
    const order = new TimeOrder<string>();
    expect(order.full).toBe(false);
    for (let i = 0; i < 40; i++) order.push({ source: 'worker-1', packet: packet(BigInt(i), 65_000) }, 0);
    expect(order.full).toBe(true);
    order.takeAll();
    expect(order.full).toBe(false);
  });
});
