import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { EventEngine } from '../../shared/netstack/event-engine.ts';
import { PacketMemory } from '../../shared/wire/packet-memory.ts';
import { DgramLink } from './dgram-link.ts';
import { EventLoop } from './event-loop.ts';

const memory = new PacketMemory({ smallSlots: 256, largeSlots: 4 });
const loop = new EventLoop(new EventEngine({ random: () => 0.5 }));
const links: DgramLink[] = [];

async function open(address = '127.0.0.1', port = 0): Promise<DgramLink> {
  const link = await DgramLink.open({ memory, loop, bind: { address, port } });
  links.push(link);
  return link;
}

function datagram(text: string) {
  const bytes = new TextEncoder().encode(text);
  const packet = memory.allocate(bytes.length)!;
  memory.bytes.set(bytes, packet.offset);
  return packet;
}

/** What arrives, as text. */
function inbox(link: DgramLink): string[] {
  const texts: string[] = [];
  link.onReceive = (_, datagrams) => {
    for (const packet of datagrams) {
      texts.push(new TextDecoder().decode(memory.bytes.slice(packet.offset, packet.offset + packet.length)));
      memory.free(packet);
    }
  };
  return texts;
}

afterEach(() => {
  for (const link of links.splice(0)) link.close();
  expect(memory.inUse).toBe(0);
});

describe('DgramLink', () => {
  it('carries batches in order to a peer and back', async () => {
    const [a, b] = [await open(), await open()];
    const [atA, atB] = [inbox(a), inbox(b)];
    const toB = a.addPeer(b.local);
    const toA = b.addPeer(a.local);
    a.send(toB, [datagram('one'), datagram('two'), datagram('three')]);
    await vi.waitUntil(() => atB.length === 3);
    expect(atB).toEqual(['one', 'two', 'three']);
    b.send(toA, [datagram('four')]);
    await vi.waitUntil(() => atA.length === 1);
    expect(a.counters).toMatchObject({ datagramsSent: 3, datagramsReceived: 1, sendErrors: 0 });
  });

  it('takes nothing from an endpoint that is no peer, and counts it', async () => {
    const a = await open();
    const atA = inbox(a);
    const stranger = createSocket('udp4');
    stranger.send('hello', a.local.port, a.local.address);
    await vi.waitUntil(() => a.counters.foreignSenders === 1);
    const b = await open();
    const peer = a.addPeer(b.local);
    a.removePeer(peer);
    b.send(b.addPeer(a.local), [datagram('removed')]);
    await vi.waitUntil(() => a.counters.foreignSenders === 2);
    expect(atA).toEqual([]);
    stranger.close();
  });

  it('counts what the kernel refuses and what goes to nobody', async () => {
    const a = await open();
    const huge = memory.allocate(66_000)!;
    a.send(a.addPeer({ address: '127.0.0.1', port: 9 }), [huge]);
    await vi.waitUntil(() => a.counters.sendErrors === 1);
    a.send(99, [datagram('nobody')]);
    expect(a.counters.sendOverflows).toBe(1);
  });

  it('takes another port when its own is taken', async () => {
    const taken = createSocket('udp4');
    taken.bind(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address();
    const link = await open('127.0.0.1', port);
    expect(link.local.address).toBe('127.0.0.1');
    expect(link.local.port).not.toBe(port);
    taken.close();
  });
});
