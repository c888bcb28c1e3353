import { expect, it } from 'vitest';
import type { NativeSocket } from '../../shared/native/native-socket.ts';
import { EventEngine } from '../../shared/netstack/event-engine.ts';
import { type Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import { zeroLinkCounters } from './link-counters.ts';
import { NativeSender } from './native-sender.ts';
import { PeerEndpoints } from './peer-endpoints.ts';

const EAGAIN = -11;
const ENOBUFS = -105;
const EMSGSIZE = -90;
const RETRY_US = 100;

/** A sender over a socket that answers what it is told to, in turn; a call without an answer takes everything. */
function senderOver(answers: number[]) {
  const memory = new PacketMemory({ smallSlots: 64, largeSlots: 4 });
  const engine = new EventEngine({ random: () => 0 });
  const counters = zeroLinkCounters();
  const peers = new PeerEndpoints();
  const calls: string[] = [];
  const socket: NativeSocket = {
    local: { address: '127.0.0.1', port: 1 },
    descriptor: -1,
    receiveBufferBytes: 1 << 20,
    send: (_, count) => {
      calls.push(`batch of ${count}`);
      return answers.shift() ?? count;
    },
    sendOne: (_, length) => {
      calls.push(`${length} bytes`);
      return answers.shift() ?? length;
    },
    receive: () => EAGAIN,
    poll: () => undefined,
    close: () => undefined,
  };
  const sender = new NativeSender({ socket, addressOf: () => 0, memory, engine, counters, peers }, true);
  const peer = peers.add({ address: '127.0.0.1', port: 2 });
  const packets = (...lengths: number[]): Packet[] => lengths.map((length) => memory.allocate(length) as Packet);
  const later = (): void => {
    engine.enter(engine.nowUs + RETRY_US);
    engine.drain();
  };
  return { memory, counters, calls, sender, peer, packets, later };
}

it.each([
  ['EAGAIN', EAGAIN],
  ['ENOBUFS', ENOBUFS],
])('keeps what the kernel does not take for now (%s), and sends it later', (_, errno) => {
  const { sender, peer, packets, counters, calls, later, memory } = senderOver([errno, errno, errno]);
  sender.send(peer, packets(100));
  sender.send(peer, packets(200, 300));
  later();
  expect(counters).toMatchObject({ datagramsSent: 0, sendErrors: 0, sendOverflows: 0 });
  later();
  expect(calls).toEqual(['100 bytes', 'batch of 3', 'batch of 3']);
  later();
  expect(counters).toMatchObject({ datagramsSent: 3, sendErrors: 0, sendOverflows: 0 });
  sender.close();
  expect(memory.inUse).toBe(0);
});

it('sends a batch one by one when the way does not take it, and counts what is refused then', () => {
  const { sender, peer, packets, counters, memory } = senderOver([EMSGSIZE, 1, EMSGSIZE]);
  sender.send(peer, packets(500, 500, 500));
  expect(counters).toMatchObject({ datagramsSent: 2, sendErrors: 1, sendOverflows: 0 });
  sender.close();
  expect(memory.inUse).toBe(0);
});

it('counts what is for a peer that is gone', () => {
  const { sender, packets, counters, calls, memory } = senderOver([]);
  sender.send(9, packets(100, 100));
  expect(counters.sendOverflows).toBe(2);
  expect(calls).toEqual([]);
  sender.close();
  expect(memory.inUse).toBe(0);
});
