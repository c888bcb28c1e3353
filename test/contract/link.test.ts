/** What the data path may rely on, whatever carries its datagrams. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { FaultQueue } from '../../node-agent/datapath/faults/fault-queue.ts';
import { FaultyLink } from '../../node-agent/datapath/faults/faulty-link.ts';
import { datagrams } from '../../node-agent/datapath/faults/framing.ts';
import { HoldingBound } from '../../node-agent/datapath/faults/holding-bound.ts';
import type { LinkEndpoint, PeerId } from '../../node-agent/datapath/link.ts';
import { DgramLink } from '../../node-agent/io/dgram-link.ts';
import { EventLoop } from '../../node-agent/io/event-loop.ts';
import { GsoLink } from '../../node-agent/io/gso-link.ts';
import { PolledLink } from '../../node-agent/io/polled-link.ts';
import type { SocketLink, SocketLinkOptions } from '../../node-agent/io/socket-link.ts';
import { loadNativeSockets } from '../../shared/native/native-socket.ts';
import { EventEngine } from '../../shared/netstack/event-engine.ts';
import { fold, sumRangeScalar } from '../../shared/wire/checksum.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import { type Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import * as tcp from '../../shared/wire/tcp.ts';
import * as vxlan from '../../shared/wire/vxlan.ts';
import { waitFor } from '../wait-for.ts';

type OpenLink = (options: SocketLinkOptions) => Promise<SocketLink>;

const implementations: { name: string; open: OpenLink }[] = [
  { name: 'dgram', open: (options) => DgramLink.open(options) },
];

/** A link that could have faults, and has none or one of no effect, is a link like the one it is round. */
class FaultySocketLink extends FaultyLink implements SocketLink {
  readonly counters: SocketLink['counters'];
  readonly kernelDrops: SocketLink['kernelDrops'];
  batches = false;
  private readonly options: SocketLinkOptions;

  constructor(link: SocketLink, options: SocketLinkOptions) {
    super(link);
    this.counters = link.counters;
    this.kernelDrops = link.kernelDrops;
    this.options = options;
  }

  override addPeer(endpoint: LinkEndpoint): PeerId {
    const peer = super.addPeer(endpoint);
    const { loop, memory } = this.options;
    const queue = new FaultQueue({
      engine: loop.engine,
      memory,
      bound: new HoldingBound(memory),
      seed: 1,
      where: 'link',
      framing: datagrams(memory),
      observer: { tracer: null, dropped: () => undefined },
      output: (packets) => this.sendPast(peer, packets),
    });
    this.setQueue(peer, queue);
    return peer;
  }
}
implementations.push({
  name: 'dgram, with a fault queue',
  open: async (options) => new FaultySocketLink(await DgramLink.open(options), options),
});
const noNativeSockets: string | undefined = await loadNativeSockets().then(
  (sockets) => {
    implementations.push(
      { name: 'polled', open: async (options) => new PolledLink({ ...options, sockets }) },
      { name: 'gso', open: async (options) => new GsoLink({ ...options, sockets }) },
      { name: 'gso, one by one', open: async (options) => new GsoLink({ ...options, sockets, batches: false }) },
      { name: 'polled, one by one', open: async (options) => new PolledLink({ ...options, sockets, batches: false }) },
    );
    return undefined;
  },
  (error: unknown) => String(error),
);
if (noNativeSockets !== undefined) process.stderr.write(`link contract: dgram only: ${noNativeSockets}\n`);

/** The sum over a segment and its pseudo header, 0xffff when its checksum is right. */
function tcpSum(view: DataView): number {
  const tcpBytes = view.byteLength - 42;
  const pseudo = ipv4.PROTOCOL_TCP + tcpBytes + sumRangeScalar(view, 22 + 12, 8);
  return fold(pseudo + sumRangeScalar(view, 42, tcpBytes));
}

describe.each(implementations)('link over $name', ({ open }) => {
  const memory = new PacketMemory({ smallSlots: 2048, largeSlots: 64 });
  const loop = new EventLoop(new EventEngine({ random: () => 0.5 }));
  const closing: (() => void)[] = [];

  async function openLink(own: Partial<SocketLinkOptions> = {}): Promise<SocketLink> {
    const link = await open({ memory, loop, bind: { address: '127.0.0.1', port: 0 }, ...own });
    closing.push(() => link.close());
    return link;
  }

  afterEach(() => {
    for (const close of closing.splice(0)) close();
    expect(memory.inUse).toBe(0);
  });

  /** A VXLAN datagram with an IPv4 packet that says its number, and whose every byte behind it follows from it. */
  function datagram(number: number, length: number): Packet {
    const packet = memory.allocate(length)!;
    const { offset } = packet;
    memory.bytes.fill(number & 0xff, offset, offset + length);
    vxlan.encode(memory.view, offset, 1);
    ethernet.encode(memory.view, offset + 8, 1, 2, ethernet.TYPE_IPV4);
    ipv4.encode(memory.view, offset + 22, (length - 22) & 0xffff, 0, false, 64, ipv4.PROTOCOL_UDP, 1, 2);
    memory.view.setUint32(offset + 42, number);
    return packet;
  }

  /** `number:length` of what arrives whole, by peer. */
  function inbox(link: SocketLink, own = memory): string[] {
    const seen: string[] = [];
    link.onReceive = (peer, packets) => {
      for (const { offset, length } of packets) {
        const number = own.view.getUint32(offset + 42);
        const whole =
          ipv4.totalLength(own.view, offset + 22) === length - 22 &&
          own.bytes.subarray(offset + 46, offset + length).every((byte) => byte === (number & 0xff));
        seen.push(`${peer}<${number}:${whole ? length : 'damaged'}`);
      }
      for (const packet of packets) own.free(packet);
    };
    return seen;
  }

  it('delivers batches of mixed sizes in order, both ways', async () => {
    const [a, b] = [await openLink(), await openLink()];
    const [atA, atB] = [inbox(a), inbox(b)];
    const [toB, toA] = [a.addPeer(b.local), b.addPeer(a.local)];
    const sizes = [64, 1472, 1472, 1472, 900, 1500, 1500, 50, 1920, 1921, 4000, 4000, 100, 1472, 1472];
    a.send(
      toB,
      sizes.map((size, index) => datagram(index, size)),
    );
    await waitFor('the batch', () => atB.length === sizes.length);
    expect(atB).toEqual(sizes.map((size, index) => `${toA}<${index}:${size}`));
    b.send(toA, [datagram(1000, 64)]);
    await waitFor('the answer', () => atA.length === 1);
    expect(atA).toEqual([`${toB}<1000:64`]);
    expect(a.counters).toMatchObject({ datagramsSent: sizes.length, datagramsReceived: 1, sendErrors: 0 });
    expect(b.counters).toMatchObject({ datagramsReceived: sizes.length, foreignSenders: 0, receiveDrops: 0 });
  });

  it('delivers a long batch of full-sized datagrams in order', async () => {
    const [a, b] = [await openLink(), await openLink()];
    const atB = inbox(b);
    const [toB, toA] = [a.addPeer(b.local), b.addPeer(a.local)];
    const expected = Array.from({ length: 200 }, (_, index) => `${toA}<${index}:${index === 199 ? 700 : 1472}`);
    a.send(
      toB,
      expected.map((_, index) => datagram(index, index === 199 ? 700 : 1472)),
    );
    await waitFor('the batch', () => atB.length === expected.length);
    expect(atB).toEqual(expected);
  });

  it('keeps the datagrams of several peers apart', async () => {
    const [a, b, c] = [await openLink(), await openLink(), await openLink()];
    const atC = inbox(c);
    const [fromA, fromB] = [c.addPeer(a.local), c.addPeer(b.local)];
    const [aToC, bToC] = [a.addPeer(c.local), b.addPeer(c.local)];
    for (let number = 0; number < 4; number++) {
      a.send(aToC, [datagram(number, 100)]);
      b.send(bToC, [datagram(number, 100)]);
    }
    await waitFor('eight datagrams', () => atC.length === 8);
    for (const peer of [fromA, fromB]) {
      const own = atC.filter((text) => text.startsWith(`${peer}<`));
      expect(own).toEqual([0, 1, 2, 3].map((number) => `${peer}<${number}:100`));
    }
  });

  it('answers within the call that delivers', async () => {
    const [a, b] = [await openLink(), await openLink()];
    const atA = inbox(a);
    const [toB, toA] = [a.addPeer(b.local), b.addPeer(a.local)];
    b.onReceive = (_, packets) => b.send(toA, [...packets]);
    a.send(toB, [datagram(7, 1472), datagram(8, 1472)]);
    await waitFor('the echo', () => atA.length === 2);
    expect(atA).toEqual([`${toB}<7:1472`, `${toB}<8:1472`]);
  });

  it('sends a super-segment, if it takes one, as one datagram a segment with the headers of each', async () => {
    const link = await openLink();
    const plain = createSocket('udp4');
    closing.push(() => plain.close());
    plain.bind(0, '127.0.0.1');
    await once(plain, 'listening');
    const peer = link.addPeer(plain.address());
    if (link.takesSuperSegments?.(peer) !== true) return expect(link.batches).toBe(false);
    const seen: Uint8Array[] = [];
    plain.on('message', (message) => seen.push(new Uint8Array(message)));
    link.send(peer, [datagram(1, 64), superSegment(1000, 45), datagram(2, 64)]);
    await waitFor('the segments', () => seen.length === 48);
    // 22 bytes of VXLAN and Ethernet, 20 of IP, 20 of TCP
    expect(seen.map(({ length }) => length)).toEqual([64, ...Array(45).fill(62 + 1000), 62 + 500, 64]);
    const segments = seen.slice(1, -1).map((bytes) => new DataView(bytes.buffer));
    expect(segments.map((view) => view.getUint32(42 + 4))).toEqual(segments.map((_, index) => 7000 + 1000 * index));
    expect(segments.every((view) => tcpSum(view) === 0xffff)).toBe(true);
    expect(link.counters).toMatchObject({ datagramsSent: 48, sendErrors: 0 });
  });

  /** `full` segments of so many bytes and a half one, over VXLAN, under one header. */
  function superSegment(segmentBytes: number, full: number): Packet {
    const payload = full * segmentBytes + segmentBytes / 2;
    const packet = memory.allocate(62 + payload)!;
    const { view } = memory;
    const network = packet.offset + 22;
    vxlan.encode(view, packet.offset, 1);
    ethernet.encode(view, packet.offset + 8, 1, 2, ethernet.TYPE_IPV4);
    ipv4.encode(view, network, 40 + payload, 5, false, 64, ipv4.PROTOCOL_TCP, 0x0af4_0105, 0x0af4_0205);
    tcp.encode(view, network + 20, 40_000, 80, 7000, 9, 20, tcp.ACK | tcp.PSH, 500);
    packet.segmentBytes = segmentBytes;
    packet.checksumTrusted = true;
    return packet;
  }

  it('takes nothing from an unknown or removed sender, and counts it', async () => {
    const [a, b] = [await openLink(), await openLink()];
    const atA = inbox(a);
    const stranger = createSocket('udp4');
    closing.push(() => stranger.close());
    stranger.send('hello', a.local.port, a.local.address);
    await waitFor('the stranger', () => a.counters.foreignSenders === 1);
    a.removePeer(a.addPeer(b.local));
    b.send(b.addPeer(a.local), [datagram(1, 64)]);
    await waitFor('the removed peer', () => a.counters.foreignSenders === 2);
    expect(atA).toEqual([]);
  });

  it('takes datagrams from any port of an address that one peer has', async () => {
    const a = await openLink();
    const atA = inbox(a);
    const kernel = a.addPeer({ address: '127.0.0.1', port: 4789 });
    const flow = createSocket('udp4');
    closing.push(() => flow.close());
    const packet = datagram(9, 64);
    const bytes = memory.bytes.slice(packet.offset, packet.offset + packet.length);
    memory.free(packet);
    flow.send(bytes, a.local.port, a.local.address);
    await waitFor('the datagram', () => atA.length === 1);
    expect(atA).toEqual([`${kernel}<9:64`]);
    a.addPeer({ address: '127.0.0.1', port: 4790 });
    flow.send(bytes, a.local.port, a.local.address);
    await waitFor('a second peer to make the sender unknown', () => a.counters.foreignSenders === 1);
    expect(atA).toHaveLength(1);
  });

  it('knows a peer that was removed and came back by its new number', async () => {
    const [a, b] = [await openLink(), await openLink()];
    const atA = inbox(a);
    const first = a.addPeer(b.local);
    a.removePeer(first);
    const second = a.addPeer(b.local);
    expect(second).not.toBe(first);
    b.send(b.addPeer(a.local), [datagram(1, 64)]);
    await waitFor('the datagram', () => atA.length === 1);
    expect(atA).toEqual([`${second}<1:64`]);
  });

  it('counts what the kernel refuses, and sends the rest of the batch', async () => {
    const [a, b] = [await openLink(), await openLink()];
    const atB = inbox(b);
    const [toB, toA] = [a.addPeer(b.local), b.addPeer(a.local)];
    a.send(toB, [datagram(1, 64), datagram(2, 66_000), datagram(3, 64)]);
    await waitFor('the others', () => atB.length === 2 && a.counters.sendErrors === 1);
    expect(atB).toEqual([`${toA}<1:64`, `${toA}<3:64`]);
    a.send(99, [datagram(4, 64)]);
    expect(a.counters.sendOverflows).toBe(1);
  });

  it('drops and counts what packet memory has no room for, and goes on afterwards', async () => {
    const scarce = new PacketMemory({ smallSlots: 4, largeSlots: 3 });
    const [a, b] = [await openLink(), await openLink({ memory: scarce })];
    const [toB] = [a.addPeer(b.local), b.addPeer(a.local)];
    const held: Packet[] = [];
    b.onReceive = (_, packets) => {
      held.push(...packets);
    };
    a.send(
      toB,
      Array.from({ length: 20 }, (_, index) => datagram(index, 1472)),
    );
    await waitFor('all of them', () => held.length + b.counters.receiveDrops === 20);
    expect(held.length).toBeLessThanOrEqual(4);
    for (const packet of held.splice(0)) scarce.free(packet);
    a.send(toB, [datagram(50, 64)]);
    await waitFor('one more', () => held.length === 1);
    for (const packet of held.splice(0)) scarce.free(packet);
    b.close();
    expect(scarce.inUse).toBe(0);
  });

  it('lets a burst beyond the receive buffer wait, so that the kernel drops none of it', async () => {
    const [a, b] = [await openLink(), await openLink()];
    const atB = inbox(b);
    const [toB, toA] = [a.addPeer(b.local), b.addPeer(a.local)];
    const count = 700;
    loop.run(() =>
      a.send(
        toB,
        Array.from({ length: count }, (_, index) => datagram(index, 1472)),
      ),
    );
    await waitFor('the burst', () => atB.length === count);
    expect(atB).toEqual(Array.from({ length: count }, (_, index) => `${toA}<${index}:1472`));
    expect(b.kernelDrops.count()).toBe(0);
    expect(a.counters).toMatchObject({ datagramsSent: count, sendOverflows: 0, sendErrors: 0 });
  });

  it('drops and counts what is too much to wait', async () => {
    const own = new PacketMemory({ smallSlots: 64, largeSlots: 300 });
    const [a, b] = [await openLink({ memory: own }), await openLink()];
    const [toB] = [a.addPeer(b.local), b.addPeer(a.local)];
    b.onReceive = (_, packets) => {
      for (const packet of packets) memory.free(packet);
    };
    const datagrams: Packet[] = [];
    for (let packet = own.allocate(60_000); packet !== undefined; packet = own.allocate(60_000)) datagrams.push(packet);
    loop.run(() => a.send(toB, datagrams));
    expect(a.counters.sendOverflows).toBeGreaterThan(0);
    const { counters } = a;
    await waitFor('the rest', () => counters.datagramsSent + counters.sendOverflows === datagrams.length);
    expect(counters.sendErrors).toBe(0);
    a.close();
    expect(own.inUse).toBe(0);
  });

  it('takes another port when its own is taken', async () => {
    const taken = createSocket('udp4');
    closing.push(() => taken.close());
    taken.bind(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address();
    const link = await openLink({ bind: { address: '127.0.0.1', port } });
    expect(link.local.address).toBe('127.0.0.1');
    expect(link.local.port).not.toBe(port);
  });

  it('gives its port back when it is closed, sends nothing more, and may be closed twice', async () => {
    const first = await openLink();
    const peer = first.addPeer({ address: '127.0.0.1', port: 9 });
    const { local } = first;
    first.close();
    first.close();
    first.send(peer, [datagram(1, 64)]);
    expect(first.counters).toMatchObject({ sendOverflows: 1, datagramsSent: 0 });
    const again = await waitFor('the port', async () => {
      const link = await openLink({ bind: local });
      return link.local.port === local.port ? link : undefined;
    });
    expect(again.local).toEqual(local);
  });
});
