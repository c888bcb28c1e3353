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
  it('come out in the order of their time stamps, once nothing older can come from any node', () => {
    const order = new TimeOrder<string>();
    for (const node of ['worker-1', 'worker-2']) order.open(node);
    order.push({ source: 'worker-1', packet: packet(30n) }, 0);
    expect(order.takeDue(100)).toEqual([]);
    expect(order.behind()).toEqual(['worker-2']);
    order.push({ source: 'worker-2', packet: packet(10n) }, 140);
    expect(stamps(order.takeDue(200))).toEqual([10]);
    order.push({ source: 'worker-2', packet: packet(50n) }, 290);
    expect(stamps(order.takeDue(300))).toEqual([30]);
    expect(order.behind()).toEqual(['worker-1']);
    order.advance('worker-1', 60n);
    expect(order.behind()).toEqual([]);
    expect(stamps(order.takeDue(310))).toEqual([50]);
    expect(order.takeDue(9000)).toEqual([]);
  });

  it('wait for no node that has ended', () => {
    const order = new TimeOrder<string>();
    for (const node of ['worker-1', 'worker-2']) order.open(node);
    order.push({ source: 'worker-1', packet: packet(30n) }, 0);
    order.close('worker-2');
    expect(stamps(order.takeDue(10))).toEqual([30]);
    order.push({ source: 'worker-1', packet: packet(40n) }, 20);
    order.close('worker-1');
    order.advance('worker-1', 10n);
    expect(stamps(order.takeDue(30))).toEqual([40]);
  });

  it('wait for a node that says nothing no longer than two seconds', () => {
    const order = new TimeOrder<string>();
    for (const node of ['worker-1', 'worker-2']) order.open(node);
    order.push({ source: 'worker-1', packet: packet(30n) }, 0);
    order.push({ source: 'worker-1', packet: packet(50n) }, 1500);
    expect(order.takeDue(1999)).toEqual([]);
    expect(stamps(order.takeDue(2000))).toEqual([30]);
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
