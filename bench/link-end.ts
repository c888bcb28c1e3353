/**
 * One end of the link benchmark: `node link-end.ts bare|dgram|gso|polled server|client error|bulk DELAY_MS...`. `error`: by how much
 * the delays that datagrams met differ from those asked for, in microseconds; of `bare` sockets, which have none, by how
 * much a round trip differs from the median. `bulk`: one TCP flow over a link with the delay in both directions, Mbit/s.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { IoTier } from '../node-agent/io/open-link.ts';
import { type BenchNode, podAddress, startBenchNode } from './bench-node.ts';
import type { Spread } from './datapath-message.ts';
import { introduced, say } from './end-channel.ts';
import { median } from './figure.ts';

const WARM_UP = 50;
const SETTLING_TRIPS = 20;
const TRIPS = 200;
/** Long enough for the processor to fall asleep between two datagrams, which is what a user's ping meets. */
const PACE_MS = 5;
/** Of the last answer, behind the last question; loopback loses nothing. */
const ANSWER_LIMIT_MS = 5000;
const PORT = 7;
const BULK_PORT = 5201;
const BULK_MS = 1500;

const [carrier, role, quantity, ...delays] = process.argv.slice(2);
/** Anything but `bare`. */
const tier = carrier as IoTier;
const delaysUs = delays.map((delayMs) => Number(delayMs) * 1000);
const isServer = role === 'server';

/** Paced datagrams to an echo server; resolves to the round trips in microseconds, in the order of their answers. */
class PacedTrips {
  private readonly sentMs: number[] = [];
  private readonly tripsUs: number[] = [];
  private readonly send: (number: number) => void;
  private wanted = 0;
  private settle: (() => void) | undefined;

  constructor(send: (number: number) => void) {
    this.send = send;
  }

  async run(count: number): Promise<number[]> {
    this.sentMs.length = 0;
    this.tripsUs.length = 0;
    this.wanted = count;
    const done = new Promise<void>((resolve) => {
      this.settle = resolve;
    });
    const limit = setTimeout(
      () => {
        throw new Error(`${this.tripsUs.length} of ${count} datagrams were answered`);
      },
      count * PACE_MS + ANSWER_LIMIT_MS,
    );
    const timer = setInterval(() => {
      if (this.sentMs.length >= count) return;
      this.sentMs.push(performance.now());
      this.send(this.sentMs.length - 1);
    }, PACE_MS);
    await done;
    clearInterval(timer);
    clearTimeout(limit);
    return [...this.tripsUs];
  }

  answered(number: number): void {
    this.tripsUs.push((performance.now() - (this.sentMs[number] ?? 0)) * 1000);
    if (this.tripsUs.length === this.wanted) this.settle?.();
  }
}

function spreadOf(errorsUs: readonly number[]): Spread {
  const sorted = errorsUs.map(Math.abs).sort((a, b) => a - b);
  return { p50: median(sorted), p99: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN };
}

/** Microseconds of a usual round trip without delay, and how much the others differ. */
function report(usualUs: number, bySetting: readonly Spread[]): void {
  say({ kind: 'result', value: usualUs, bySetting });
}

function numbered(number: number): Uint8Array {
  const data = new Uint8Array(64);
  new DataView(data.buffer).setUint32(0, number);
  return data;
}

function numberOf(data: Uint8Array): number {
  return new DataView(data.buffer, data.byteOffset).getUint32(0);
}

async function bareSockets(): Promise<void> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { endpoint } = await introduced({ endpoint: socket.address() });
  socket.connect(endpoint.port, endpoint.address);
  await once(socket, 'connect');
  if (isServer) socket.on('message', (message) => socket.send(message));
  else {
    const trips = new PacedTrips((number) => socket.send(numbered(number)));
    socket.on('message', (message) => trips.answered(numberOf(message)));
    process.once('message', async () => {
      await trips.run(WARM_UP);
      const timesUs = await trips.run(TRIPS);
      const usualUs = median(timesUs);
      report(usualUs, [spreadOf(timesUs.map((time) => time - usualUs))]);
    });
  }
  say({ kind: 'ready' });
}

async function pods(): Promise<void> {
  const node = await startBenchNode(isServer ? 2 : 1, { tier, batches: tier !== 'dgram' });
  node.meet(await introduced(node.introduction));
  const [delayUs = 0] = delaysUs;
  if (quantity === 'bulk' && delayUs > 0) node.loop.run(() => delay(node, delayUs));
  if (isServer) node.loop.run(() => (quantity === 'error' ? echo(node) : sink(node)));
  else process.once('message', () => (quantity === 'error' ? measureErrors(node) : node.loop.run(() => blast(node))));
  say({ kind: 'ready' });
}

/** Of what this node sends to the other one. */
function delay({ datapath }: BenchNode, delayUs: number): void {
  const peer = { kind: 'peer', node: isServer ? 'worker-1' : 'worker-2' } as const;
  datapath.faults.set([peer], { delayUs }, { freshSeed: 1, durationUs: Number.POSITIVE_INFINITY });
}

function echo({ host }: BenchNode): void {
  const socket = host.udp.bind({ port: PORT });
  socket.onMessage = (data, from, port) => socket.sendTo(data, from, port);
}

/** The round trip without the delay is measured just before. */
async function measureErrors(node: BenchNode): Promise<void> {
  const { loop, host } = node;
  const socket = loop.run(() => host.udp.bind({ port: 0 }));
  const trips = new PacedTrips((number) => loop.run(() => socket.sendTo(numbered(number), podAddress(2), PORT)));
  socket.onMessage = (data) => trips.answered(numberOf(data));
  await trips.run(WARM_UP);
  const usualUs = median(await trips.run(TRIPS));
  const spreads: Spread[] = [];
  for (const delayUs of delaysUs) {
    loop.run(() => delay(node, delayUs));
    await trips.run(SETTLING_TRIPS);
    spreads.push(spreadOf((await trips.run(TRIPS)).map((time) => time - usualUs - delayUs)));
  }
  report(usualUs, spreads);
}

function sink({ host }: BenchNode): void {
  host.tcp.listen({ port: BULK_PORT }).onConnection = (connection) => {
    let bytes = 0;
    let firstMs = 0;
    connection.onData = (data) => {
      if (firstMs === 0) firstMs = performance.now();
      else bytes += data.length;
    };
    connection.onEnd = () => say({ kind: 'result', value: (bytes * 8) / 1000 / (performance.now() - firstMs) });
  };
}

function blast({ host, loop }: BenchNode): void {
  const connection = host.tcp.connect({ remoteAddress: podAddress(2), remotePort: BULK_PORT });
  connection.onEstablished = () => {
    const chunk = new Uint8Array(65_536);
    const fill = (): void => {
      while (connection.write(chunk) === chunk.length);
    };
    connection.onWritable = fill;
    fill();
    setTimeout(() => {
      connection.onWritable = null;
      loop.run(() => connection.end());
    }, BULK_MS);
  };
}

process.once('disconnect', () => process.exit(0));
if (carrier === 'bare') await bareSockets();
else await pods();
