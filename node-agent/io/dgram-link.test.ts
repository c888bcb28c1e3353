import type { Socket } from 'node:dgram';
import { expect, it, vi } from 'vitest';
import { EventEngine } from '../../shared/netstack/event-engine.ts';
import { type Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import { waitFor } from '../../test/wait-for.ts';
import { DgramLink } from './dgram-link.ts';
import { EventLoop } from './event-loop.ts';

it('sends nothing more while libuv keeps a datagram that the kernel did not take', async () => {
  const memory = new PacketMemory({ smallSlots: 64, largeSlots: 8 });
  const loop = new EventLoop(new EventEngine({ random: () => 0 }));
  const bind = { address: '127.0.0.1', port: 0 };
  const [a, b] = [await DgramLink.open({ memory, loop, bind }), await DgramLink.open({ memory, loop, bind })];
  const [toB] = [a.addPeer(b.local), b.addPeer(a.local)];
  const seen: number[] = [];
  b.onReceive = (_, packets) => {
    for (const packet of packets) {
      seen.push(packet.length);
      memory.free(packet);
    }
  };
  // A loopback socket takes everything, so the queue is made up.
  const socket = Reflect.get(a, 'socket') as Socket;
  let queued = 0;
  const count = vi.spyOn(socket, 'getSendQueueCount').mockImplementation(() => queued);
  const send = vi.spyOn(socket, 'send').mockImplementationOnce(() => {
    queued = 1;
  });
  loop.run(() =>
    a.send(
      toB,
      [10, 20, 30].map((length) => memory.allocate(length) as Packet),
    ),
  );
  const before = count.mock.calls.length;
  await waitFor('another try', () => count.mock.calls.length > before);
  expect(send).toHaveBeenCalledTimes(1);
  queued = 0;
  await waitFor('the others', () => seen.length === 2);
  expect(seen).toEqual([20, 30]);
  expect(a.counters).toMatchObject({ datagramsSent: 2, sendOverflows: 0, sendErrors: 0 });
  a.close();
  b.close();
  loop.close();
  expect(memory.inUse).toBe(0);
});
