/**
 * One end of the data path benchmark, a process of its own: `node datapath-end.ts CARRIER server|client rtt|bulk`. It says
 * over IPC where it is reached, is told the other end, and says what it measured.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { EventLoop } from '../node-agent/io/event-loop.ts';
import type { IoTier } from '../node-agent/io/open-link.ts';
import type { Host } from '../shared/netstack/host.ts';
import { podAddress, startBenchNode } from './bench-node.ts';
import type { Carrier, Quantity } from './datapath-message.ts';
import { introduced, say } from './end-channel.ts';
import { median } from './figure.ts';

const REQUEST_BYTES = 64;
const WARM_UP = 20_000;
const ROUND_TRIPS = 20_000;
const BULK_MS = 3000;
/** A VXLAN datagram with a full TCP segment. */
const DATAGRAM_BYTES = 1472;
/** Sent before the event loop has a turn. */
const BURST = 32;
const PORT = 5201;

const [carrier, role, quantity] = process.argv.slice(2) as [Carrier, 'server' | 'client', Quantity];
const isServer = role === 'server';

/** Sends the next request whenever one was answered; the median round trip in microseconds. */
function roundTrips(send: () => void): { answered(): void } {
  const times: number[] = [];
  let startedMs = performance.now();
  let count = 0;
  send();
  return {
    answered() {
      const nowMs = performance.now();
      if (count++ >= WARM_UP) times.push((nowMs - startedMs) * 1000);
      if (times.length === ROUND_TRIPS) {
        say({ kind: 'result', value: median(times) });
        return;
      }
      startedMs = nowMs;
      send();
    },
  };
}

/** Mbit/s from the first byte to the last. */
class Throughput {
  private bytes = 0;
  private firstMs = 0;
  private lastMs = 0;

  add(count: number): void {
    this.lastMs = performance.now();
    if (this.firstMs === 0) this.firstMs = this.lastMs;
    else this.bytes += count;
  }

  report(): void {
    say({ kind: 'result', value: (this.bytes * 8) / 1000 / (this.lastMs - this.firstMs) });
  }
}

async function bareSockets(): Promise<void> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20, sendBufferSize: 4 << 20 });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { endpoint } = await introduced({ endpoint: socket.address() });
  socket.connect(endpoint.port, endpoint.address);
  await once(socket, 'connect');
  if (quantity === 'rtt') {
    const request = new Uint8Array(REQUEST_BYTES);
    if (isServer) socket.on('message', (message) => socket.send(message));
    process.once('message', () => {
      const trips = roundTrips(() => socket.send(request));
      socket.on('message', () => trips.answered());
    });
  } else if (isServer) {
    const throughput = new Throughput();
    socket.on('message', (message) => (message.length > 1 ? throughput.add(message.length) : throughput.report()));
  } else {
    process.once('message', () => blast((bytes) => socket.send(bytes)));
  }
  say({ kind: 'ready' });
}

function blast(send: (bytes: Uint8Array) => void): void {
  const bytes = new Uint8Array(DATAGRAM_BYTES);
  const endMs = performance.now() + BULK_MS;
  const burst = (): void => {
    for (let i = 0; i < BURST; i++) send(bytes);
    if (performance.now() < endMs) setImmediate(burst);
    else setTimeout(() => send(new Uint8Array(1)), 200);
  };
  burst();
}

async function pods(tier: IoTier, batches: boolean): Promise<void> {
  const bench = await startBenchNode(isServer ? 2 : 1, { tier, batches });
  const { loop, host } = bench;
  bench.meet(await introduced(bench.introduction));
  if (isServer) loop.run(() => serve(host));
  else process.once('message', () => loop.run(() => ask(host, loop)));
  say({ kind: 'ready' });
}

function serve(host: Host): void {
  host.tcp.listen({ port: PORT }).onConnection = (connection) => {
    connection.setNoDelay(true);
    const throughput = new Throughput();
    connection.onData = (bytes) => {
      if (quantity === 'rtt') connection.write(bytes);
      else throughput.add(bytes.length);
    };
    connection.onEnd = () => throughput.report();
  };
}

function ask(host: Host, loop: EventLoop): void {
  const connection = host.tcp.connect({ remoteAddress: podAddress(2), remotePort: PORT });
  connection.setNoDelay(true);
  connection.onEstablished = () => {
    if (quantity === 'rtt') {
      const request = new Uint8Array(REQUEST_BYTES);
      const trips = roundTrips(() => connection.write(request));
      connection.onData = () => trips.answered();
      return;
    }
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
else if (carrier === 'polled-single') await pods('polled', false);
else await pods(carrier, true);
