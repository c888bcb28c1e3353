import { expect, it } from 'vitest';
import { loadNativeSockets } from '../../shared/native/native-socket.ts';
import { EventEngine } from '../../shared/netstack/event-engine.ts';
import { PacketMemory } from '../../shared/wire/packet-memory.ts';
import { EventLoop } from './event-loop.ts';
import { GsoLink } from './gso-link.ts';
import { openLink } from './open-link.ts';
import { PolledLink } from './polled-link.ts';
import { SELF_TEST_LIMIT_MS, selfTest } from './self-test.ts';

const memory = new PacketMemory({ smallSlots: 64, largeSlots: 16 });
const loop = new EventLoop(new EventEngine({ random: () => 0 }));
const options = { memory, loop, bind: { address: '127.0.0.1', port: 0 } };

it('takes the tier that is asked for, and with auto the fastest that works here', async () => {
  const plain = await openLink({ ...options, tier: 'dgram' });
  expect(plain.tier).toBe('dgram');
  plain.link.close();
  const native = await loadNativeSockets().then(
    () => true,
    () => false,
  );
  const chosen = await openLink({ ...options, tier: 'auto' });
  expect(chosen.tier).toBe(native ? 'polled' : 'dgram');
  expect(chosen.fallback === undefined).toBe(native);
  chosen.link.close();
  expect(memory.inUse).toBe(0);
});

it('passes the self-test though the process had no processor for longer than the test waits', async () => {
  const sockets = await loadNativeSockets().then(
    (found) => found,
    () => undefined,
  );
  for (const Link of sockets === undefined ? [] : [PolledLink, GsoLink]) {
    const tested = selfTest((own) => {
      queueMicrotask(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SELF_TEST_LIMIT_MS + 1));
      return new Link({ ...own, sockets: sockets! });
    });
    await expect(tested).resolves.toBeUndefined();
  }
});
