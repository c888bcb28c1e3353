import { createSocket, Socket } from 'node:dgram';
import { afterAll, afterEach, expect, it, vi } from 'vitest';
import { EventEngine } from '../../shared/netstack/event-engine.ts';
import { type Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import { waitFor } from '../../test/wait-for.ts';
import type { LinkEndpoint } from '../datapath/link.ts';
import { DgramLink } from './dgram-link.ts';
import { EventLoop } from './event-loop.ts';

const memory = new PacketMemory({ smallSlots: 64, largeSlots: 8 });
const loop = new EventLoop(new EventEngine({ random: () => 0 }));
const closing: (() => void)[] = [];

afterEach(() => {
  vi.restoreAllMocks();
  for (const close of closing.splice(0)) close();
  expect(memory.inUse).toBe(0);
});
afterAll(() => loop.close());

async function openLink(bind: LinkEndpoint = { address: '127.0.0.1', port: 0 }): Promise<DgramLink> {
  const link = await DgramLink.open({ memory, loop, bind });
  closing.push(() => link.close());
  return link;
}

function datagrams(...lengths: number[]): Packet[] {
  return lengths.map((length) => memory.allocate(length)!);
}

function lengthsSeen(link: DgramLink): number[] {
  const seen: number[] = [];
  link.onReceive = (_, packets) => {
    for (const packet of packets) {
      seen.push(packet.length);
      memory.free(packet);
    }
  };
  return seen;
}

it('sends nothing more while libuv keeps a datagram that the kernel did not take', async () => {
  const [a, b] = [await openLink(), await openLink()];
  const [toB] = [a.addPeer(b.local), b.addPeer(a.local)];
  const seen = lengthsSeen(b);
  // A loopback socket takes everything, so the queue is made up.
  let queued = 0;
  const count = vi.spyOn(Socket.prototype, 'getSendQueueCount').mockImplementation(() => queued);
  const send = vi.spyOn(Socket.prototype, 'send').mockImplementationOnce(() => {
    queued = 1;
  });
  loop.run(() => a.send(toB, datagrams(10, 20, 30)));
  const before = count.mock.calls.length;
  await waitFor('another try', () => count.mock.calls.length > before);
  expect(send).toHaveBeenCalledTimes(1);
  queued = 0;
  await waitFor('the others', () => seen.length === 2);
  expect(seen).toEqual([20, 30]);
  expect(a.counters).toMatchObject({ datagramsSent: 2, sendOverflows: 0, sendErrors: 0 });
});

it('goes on when the peer whose datagram libuv keeps is gone', async () => {
  const [a, b, c] = [await openLink(), await openLink(), await openLink()];
  const [toB, toC] = [a.addPeer(b.local), a.addPeer(c.local)];
  c.addPeer(a.local);
  const seen = lengthsSeen(c);
  // Made up as above, for the one call behind the first datagram.
  vi.spyOn(Socket.prototype, 'getSendQueueCount').mockImplementationOnce(() => 1);
  loop.run(() => a.send(toB, datagrams(10, 20)));
  a.removePeer(toB);
  await waitFor('what goes to others', () => {
    if (seen.length === 0) a.send(toC, datagrams(30));
    return seen.length > 0;
  });
  expect(seen[0]).toBe(30);
});

it('hears other ports beside the one of a peer that it has sent to', async () => {
  const [a, b] = [await openLink(), await openLink()];
  const [atA, atB] = [lengthsSeen(a), lengthsSeen(b)];
  const [toB, toA] = [a.addPeer(b.local), b.addPeer(a.local)];
  a.send(toB, datagrams(10));
  await waitFor('the first datagram', () => atB.length === 1);
  // As a kernel's VXLAN device does, which has a port for each flow.
  const flow = createSocket('udp4');
  closing.push(() => flow.close());
  flow.send(new Uint8Array(20), a.local.port, a.local.address);
  await waitFor('the datagram of a flow', () => atA.length === 1);
  b.send(toA, datagrams(30));
  await waitFor('the answer', () => atA.length === 2);
  expect(atA).toEqual([20, 30]);
  expect(a.counters.foreignSenders).toBe(0);
});

it('reaches a peer that was dead and came back, and whoever takes its place', async () => {
  const [a, b] = [await openLink(), await openLink()];
  const toB = a.addPeer(b.local);
  b.close();
  for (let turn = 0; turn < 3; turn++) {
    a.send(toB, datagrams(10));
    await nextTurn();
  }
  const again = await openLink(b.local);
  expect(again.local).toEqual(b.local);
  again.addPeer(a.local);
  const seen = lengthsSeen(again);
  await waitFor('a datagram', () => {
    if (seen.length === 0) a.send(toB, datagrams(20));
    return seen.length > 0;
  });
  const other = await openLink();
  a.removePeer(toB);
  const toOther = a.addPeer(other.local);
  other.addPeer(a.local);
  const atOther = lengthsSeen(other);
  a.send(toOther, datagrams(40));
  await waitFor('the datagram', () => atOther.length === 1);
  expect(atOther).toEqual([40]);
});

it('counts what goes to a dead peer as refused, where it has a socket for that peer', async (context) => {
  const { node, platform } = { node: Number.parseInt(process.versions.node, 10), platform: process.platform };
  context.skip(platform !== 'linux' || node < 24, `no sockets of peers on ${platform} with Node ${node}`);
  const a = await openLink();
  const b = await openLink();
  const toB = a.addPeer(b.local);
  b.close();
  await waitFor('a refusal', () => {
    a.send(toB, datagrams(10));
    return a.counters.sendErrors > 0;
  });
  await waitFor('what is asked about', () => a.counters.datagramsSent > 0);
});

it('is alone at its address and port', async () => {
  const a = await openLink();
  a.send(a.addPeer({ address: '127.0.0.1', port: 9 }), datagrams(10));
  const b = await openLink(a.local);
  expect(b.local.port).not.toBe(a.local.port);
});

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

it.skipIf(process.platform !== 'linux')(
  "what the kernel dropped at a peer's socket counts on when the peer is gone",
  async () => {
    const [a, b] = [await openLink(), await openLink()];
    const toA = b.addPeer(a.local);
    a.addPeer(b.local);
    loop.run(() => b.send(toA, datagrams(10))); // from here on it has a socket for its peer
    const { address, port } = a.local;
    a.close();
    const flood = createSocket({ type: 'udp4', reusePort: true });
    closing.push(() => flood.close());
    await new Promise<void>((resolve) => flood.bind({ address, port, exclusive: true }, resolve));
    flood.connect(b.local.port, b.local.address);
    await new Promise<void>((resolve) => flood.once('connect', resolve));
    const data = new Uint8Array(60_000);
    // Nothing is read meanwhile.
    for (let sent = 0; sent < 20_000 && b.kernelDrops.count() === 0; sent++) flood.send(data);
    const dropped = b.kernelDrops.count();
    expect(dropped).toBeGreaterThan(0);
    b.removePeer(toA);
    expect(b.kernelDrops.count()).toBe(dropped);
  },
);
