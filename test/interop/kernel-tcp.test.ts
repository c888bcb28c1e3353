/**
 * Linux' TCP in a network namespace against ours, over a cable that loses 5%, reorders 5% and takes 50 ms each way.
 * `PODWIRE_INTEROP_MB=100` moves more than the usual 4 MB each way.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HoldingBound } from '../../node-agent/datapath/faults/holding-bound.ts';
import { EventLoop } from '../../node-agent/io/event-loop.ts';
import { createNetworkNamespace, type NetworkNamespace } from '../../node-agent/netns/network-namespace.ts';
import { EventEngine } from '../../shared/netstack/event-engine.ts';
import { Host } from '../../shared/netstack/host.ts';
import { seededRandom } from '../../shared/netstack/seeded-random.ts';
import type { VethDevice } from '../../shared/netstack/veth.ts';
import type { PodTcpSocket } from '../../shared/podnet/pod-network.ts';
import { StackNetwork } from '../../shared/podnet/stack-network.ts';
import type { ImpairmentChange } from '../../shared/rules/impairment.ts';
import { parseIpv4 } from '../../shared/wire/address.ts';
import { PacketMemory } from '../../shared/wire/packet-memory.ts';
import { Cable } from '../sim/cable.ts';
import { baseSeed } from '../sim/simulation.ts';
import { kernelLacks } from './kernel-lacks.ts';

const BAD: ImpairmentChange = { delayUs: 50_000, loss: 0.05, reorder: 0.05 };
const MEGABYTES = Number(process.env.PODWIRE_INTEROP_MB ?? 4);
/** Loss bounds what one connection can have (Mathis et al.): many of them share the bytes. */
const CONNECTIONS = 16;
const BYTES_EACH = Math.ceil((MEGABYTES * 1_000_000) / CONNECTIONS);
const LIMIT_MS = 60_000 + MEGABYTES * 5000;
const DIGEST_BYTES = 32;
const KERNEL = '10.77.0.2';
const PORT = 7000;
const name = `pwtcp${process.pid}`;
const missing = await kernelLacks(['ip'], ['tun']);
if (missing !== undefined) process.stderr.write(`kernel TCP interop: skipped: ${missing}\n`);

describe.skipIf(missing !== undefined)(`Linux' TCP and ours, ${MEGABYTES} MB each way`, () => {
  const random = seededRandom(baseSeed());
  const engine = new EventEngine({ random });
  const memory = new PacketMemory({ smallSlots: 32_768, largeSlots: 64 });
  const loop = new EventLoop(engine);
  let namespace: NetworkNamespace;
  let network: StackNetwork;
  let kernel: ChildProcess;
  const cable = new Cable({
    engine,
    memory,
    bound: new HoldingBound(memory),
    seed: baseSeed(),
    ends: [
      { name: 'eth0', index: 2, macAddress: 0x0200_0000_0001, mtuBytes: 1450 },
      { name: 'eth0', index: 2, macAddress: 0x0200_0000_0002, mtuBytes: 1450 },
    ],
  });

  function host(hostName: string, address: string, end: VethDevice): Host {
    const made = new Host({ engine, memory, name: hostName, secret: new Uint8Array(16).fill(end.macAddress & 0xff) });
    made.addAddress(end, parseIpv4(address)!, 24);
    return made;
  }

  beforeAll(async () => {
    cable.impair(BAD);
    const [ourEnd, theirEnd] = cable.ends;
    const ours = loop.run(() => host('ours', '10.77.0.1', ourEnd));
    const theirs = loop.run(() => host('theirs', KERNEL, theirEnd));
    // Three lost ARP requests in a row are an error of their own, and not the one looked for.
    ours.neighbours.setPermanent(ourEnd, parseIpv4(KERNEL)!, theirEnd.macAddress);
    network = new StackNetwork({ host: ours, loop });
    namespace = await createNetworkNamespace({ name, host: theirs, memory, loop, etcFiles: {}, sysctls: [] });
    const script = join(import.meta.dirname, 'byte-exchange.mjs');
    const args = ['netns', 'exec', name, process.execPath, script, String(PORT), String(BYTES_EACH)];
    kernel = spawn('ip', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(kernel.stdout!, 'data');
  });

  afterAll(async () => {
    kernel?.kill();
    network?.close();
    await namespace?.destroy();
    loop.close();
  });

  async function connect(wish: 'send' | 'take'): Promise<PodTcpSocket> {
    const socket = await network.connectTcp({ host: KERNEL, port: PORT, allowHalfOpen: true });
    socket.write(wish);
    return socket;
  }

  /** What the kernel sends, against the digest that it sends behind. */
  async function receive(): Promise<string> {
    const socket = await connect('send');
    const hash = createHash('sha256');
    let left = BYTES_EACH;
    let claimed = Buffer.alloc(0);
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      const body = chunk.subarray(0, left);
      hash.update(body);
      left -= body.length;
      claimed = Buffer.concat([claimed, chunk.subarray(body.length)]);
    }
    socket.end();
    expect(claimed).toHaveLength(DIGEST_BYTES);
    return `${hash.digest().equals(claimed) ? 'identical' : 'different'} ${BYTES_EACH - left}`;
  }

  /** What the kernel says of the bytes that it was sent. */
  async function send(): Promise<string> {
    const socket = await connect('take');
    const hash = createHash('sha256');
    for (let left = BYTES_EACH; left > 0; ) {
      const chunk = randomBytes(Math.min(left, 65_536));
      hash.update(chunk);
      left -= chunk.length;
      if (!socket.write(chunk)) await once(socket, 'drain');
    }
    socket.write(hash.digest());
    let verdict = '';
    for await (const chunk of socket) verdict += String(chunk);
    socket.end();
    return verdict;
  }

  async function timed(what: string, transfer: () => Promise<string>): Promise<string[]> {
    const startMs = performance.now();
    const verdicts = await Promise.all(Array.from({ length: CONNECTIONS }, transfer));
    const seconds = (performance.now() - startMs) / 1000;
    const rate = ((CONNECTIONS * BYTES_EACH * 8) / seconds / 1e6).toFixed(1);
    console.log(`${what}: ${MEGABYTES} MB by ${CONNECTIONS} connections in ${seconds.toFixed(1)} s, ${rate} Mbit/s`);
    return verdicts;
  }

  const identical = Array.from({ length: CONNECTIONS }, () => `identical ${BYTES_EACH}`);

  it('takes from us what we sent', { timeout: LIMIT_MS }, async () => {
    expect(await timed('to the kernel', send)).toEqual(identical);
    for (const { dropped, reordered } of cable.counters) {
      expect(dropped['link-loss']).toBeGreaterThan(0);
      expect(reordered).toBeGreaterThan(0);
    }
  });

  it('sends us what we take', { timeout: LIMIT_MS }, async () => {
    expect(await timed('from the kernel', receive)).toEqual(identical);
    expect(memory.inUse).toBeLessThan(memory.capacity / 2);
  });
});
