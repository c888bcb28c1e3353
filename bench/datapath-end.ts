/**
 * One end of the data path benchmark, a process of its own: `node datapath-end.ts CARRIER server|client QUANTITY`. It says
 * over IPC where it is reached, is told the other end, and says what it measured.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { EventLoop } from '../node-agent/io/event-loop.ts';
import type { IoTier } from '../node-agent/io/open-link.ts';
import type { Host } from '../shared/netstack/host.ts';
import { StackNetwork } from '../shared/podnet/stack-network.ts';
import { formatIpv4 } from '../shared/wire/address.ts';
import { podAddress, startBenchNode } from './bench-node.ts';
import type { Carrier, Quantity } from './datapath-message.ts';
import { introduced, say } from './end-channel.ts';
import { median } from './figure.ts';

const REQUEST_BYTES = 64;
/** Compilers that share the processor with both ends are done after so many, or so long, on a slow path. */
const WARM_UP = 60_000;
const WARM_UP_MS = 3000;
const ROUND_TRIPS = 15_000;
/** A slow path is measured by fewer. */
const ROUND_TRIPS_MS = 1000;
const BULK_MS = 1600;
/** Of a bulk transfer: what is not counted. */
const BULK_WARM_UP_MS = 400;
/** A VXLAN datagram with a full TCP segment. */
const DATAGRAM_BYTES = 1472;
/** Sent before the event loop has a turn. */
const BURST = 32;
const PORT = 5201;

const [carrier, role, quantity] = process.argv.slice(2) as [Carrier, 'server' | 'client', Quantity];
const isServer = role === 'server';

/** Sends the next request whenever one was answered; the median round trip in microseconds. */
function roundTrips(send: () => void): { answered(nowMs?: number): void } {
  const times: number[] = [];
  const warmUpEndMs = performance.now() + WARM_UP_MS;
  let endMs = Number.POSITIVE_INFINITY;
  let startedMs = performance.now();
  let count = 0;
  send();
  return {
    answered(nowMs = performance.now()) {
      if (endMs < Number.POSITIVE_INFINITY) times.push((nowMs - startedMs) * 1000);
      else if (++count === WARM_UP || nowMs > warmUpEndMs) endMs = nowMs + ROUND_TRIPS_MS;
      if (times.length === ROUND_TRIPS || nowMs > endMs) {
        say({ kind: 'result', value: median(times) });
        return;
      }
      startedMs = performance.now();
      send();
    },
  };
}

/** How much of a processor this process uses between two moments. */
class Busy {
  private startedMs = 0;
  private usage = process.cpuUsage();

  start(): void {
    this.startedMs = performance.now();
    this.usage = process.cpuUsage();
  }

  report(): void {
    const { user, system } = process.cpuUsage(this.usage);
    say({ kind: 'busy', share: (user + system) / 1000 / (performance.now() - this.startedMs) });
  }
}

/** Mbit/s from the end of the warm-up to the last byte. */
class Throughput {
  private bytes = 0;
  private firstMs = 0;
  private countedMs = 0;
  private lastMs = 0;
  private readonly busy = new Busy();

  add(count: number): void {
    this.lastMs = performance.now();
    if (this.countedMs > 0) {
      this.bytes += count;
      return;
    }
    this.firstMs ||= this.lastMs;
    if (this.lastMs < this.firstMs + BULK_WARM_UP_MS) return;
    this.countedMs = this.lastMs;
    this.busy.start();
  }

  report(): void {
    this.busy.report();
    say({ kind: 'result', value: (this.bytes * 8) / 1000 / (this.lastMs - this.countedMs) });
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
  const busy = new Busy();
  busy.start();
  const burst = (): void => {
    for (let i = 0; i < BURST; i++) send(bytes);
    if (performance.now() < endMs) {
      setImmediate(burst);
      return;
    }
    busy.report();
    setTimeout(() => send(new Uint8Array(1)), 200);
  };
  burst();
}

async function pods(tier: IoTier, batches: boolean): Promise<void> {
  const bench = await startBenchNode(isServer ? 2 : 1, { tier, batches });
  const { loop, host } = bench;
  bench.meet(await introduced(bench.introduction));
  const network = new StackNetwork({ host, loop });
  if (quantity === 'duplex') {
    if (isServer) await serveDuplex(network);
    else process.once('message', () => void askDuplex(network));
  } else if (quantity === 'bulk duplex') {
    if (isServer) await takeDuplex(network);
    else process.once('message', () => void fillDuplex(network));
  } else if (isServer) loop.run(() => serve(host));
  else process.once('message', () => loop.run(() => ask(host, loop)));
  say({ kind: 'ready' });
}

function serve(host: Host): void {
  host.tcp.listen({ port: PORT }).onConnection = (connection) => {
    connection.setNoDelay(true);
    const throughput = new Throughput();
    connection.onData = (bytes) => {
      if (quantity === 'bulk') throughput.add(bytes.length);
      else connection.write(bytes);
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
    const busy = new Busy();
    setTimeout(() => busy.start(), BULK_WARM_UP_MS);
    setTimeout(() => {
      busy.report();
      connection.onWritable = null;
      loop.run(() => connection.end());
    }, BULK_MS);
  };
}

async function serveDuplex(network: StackNetwork): Promise<void> {
  const server = await network.listenTcp({ port: PORT });
  server.on('connection', (socket) => {
    socket.setNoDelay(true);
    socket.on('data', (bytes: Uint8Array) => socket.write(bytes));
  });
}

async function askDuplex(network: StackNetwork): Promise<void> {
  const socket = await network.connectTcp({ host: formatIpv4(podAddress(2)), port: PORT });
  socket.setNoDelay(true);
  const request = new Uint8Array(REQUEST_BYTES);
  const trips = roundTrips(() => socket.write(request));
  socket.on('data', () => trips.answered());
}

/** As a program would: bytes of its own, stream by stream. */
async function takeDuplex(network: StackNetwork): Promise<void> {
  const server = await network.listenTcp({ port: PORT });
  server.on('connection', (socket) => {
    const throughput = new Throughput();
    socket.on('data', (bytes: Uint8Array) => throughput.add(bytes.length));
    socket.on('end', () => throughput.report());
  });
}

async function fillDuplex(network: StackNetwork): Promise<void> {
  const socket = await network.connectTcp({ host: formatIpv4(podAddress(2)), port: PORT });
  const chunk = new Uint8Array(65_536);
  let isOver = false;
  const fill = (): void => {
    while (!isOver && socket.write(chunk));
  };
  socket.on('drain', fill);
  fill();
  const busy = new Busy();
  setTimeout(() => busy.start(), BULK_WARM_UP_MS);
  setTimeout(() => {
    busy.report();
    isOver = true;
    socket.end();
  }, BULK_MS);
}

/** Two pods of one node: every request is a turn of its own, as a program's would be. */
async function neighbours(tier: IoTier): Promise<void> {
  const { loop, host, datapath } = await startBenchNode(1, { tier, batches: true });
  const address = podAddress(1) + 1;
  const other = loop.run(() => datapath.attachPod({ id: 'bench/neighbour', address })).host;
  loop.run(() => {
    serve(other);
    const connection = host.tcp.connect({ remoteAddress: address, remotePort: PORT });
    connection.setNoDelay(true);
    const request = new Uint8Array(REQUEST_BYTES);
    connection.onEstablished = () => {
      const trips = roundTrips(() => loop.run(() => connection.write(request)));
      connection.onData = () => {
        const nowMs = performance.now();
        setImmediate(() => trips.answered(nowMs));
      };
    };
  });
}

process.once('disconnect', () => process.exit(0));
const isSingle = carrier.endsWith('-single');
if (carrier === 'bare') await bareSockets();
else if (quantity === 'local') await neighbours(carrier as IoTier);
else await pods((isSingle ? carrier.slice(0, -'-single'.length) : carrier) as IoTier, !isSingle);
