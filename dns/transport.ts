/** DNS over UDP and TCP (RFC 7766) on a pod's or the host's sockets: bytes in, a query; a reply, bytes out. */
import type { PodTcpSocket, SocketAddress } from '../shared/podnet/pod-network.ts';
import { type Answering, whenAnswered } from './answering.ts';
import { type Asked, decodeQuery, emptyReply, encodeReply, type Reply } from './message.ts';
import { SERVER_PAYLOAD_BYTES } from './message-writer.ts';
import type { DnsNetwork, Query } from './plugin.ts';

export interface TransportOptions {
  readonly network: DnsNetwork;
  readonly port: number;
  /** All by default. */
  readonly address?: string | undefined;
  readonly answer: (query: Query) => Answering;
  /** Told of the bytes of each answer. */
  readonly sent?: (query: Query, bytes: number) => void;
  /** Told of answers that could not be made or sent. */
  readonly failed: (error: unknown) => void;
}

export interface Listener {
  readonly address: SocketAddress;
  close(): Promise<void> | void;
}

const PLAIN_UDP_BYTES = 512;
const TCP_BYTES = 65_535;
const LENGTH_BYTES = 2;
/** RFC 7766 section 6.2.3: a few seconds. */
const IDLE_MS = 10_000;
const MAX_CONNECTIONS = 1000;
/** Queries of one connection that wait for their answers. */
const MAX_PIPELINED = 128;

/** Rejects with EADDRINUSE when the port is taken. */
export async function listenUdp({
  network,
  port,
  address: own,
  answer,
  sent,
  failed,
}: TransportOptions): Promise<Listener> {
  const socket = await network.bindUdp({ port, ...(own === undefined ? {} : { address: own }) });
  // A client whose answer could not leave asks again.
  const send = (bytes: Uint8Array | undefined, { port: toPort, address }: SocketAddress): void => {
    if (bytes === undefined) return;
    if (socket.post !== undefined) socket.post(bytes, toPort, address);
    else socket.send(bytes, toPort, address).catch(failed);
  };
  socket.on('message', (data: Uint8Array, from: SocketAddress) => {
    try {
      const responding = respond(data, from, 'udp', answer, sent);
      if (responding instanceof Promise) responding.then(([bytes]) => send(bytes, from)).catch(failed);
      else send(responding[0], from);
    } catch (error) {
      failed(error);
    }
  });
  // An ICMP answer to an earlier response: that client has gone, the others have not.
  socket.on('error', failed);
  return { address: socket.address(), close: () => socket.close() };
}

/** Rejects with EADDRINUSE when the port is taken. */
export async function listenTcp({
  network,
  port,
  address: own,
  answer,
  sent,
  failed,
}: TransportOptions): Promise<Listener> {
  const server = await network.listenTcp({ port, allowHalfOpen: true, ...(own === undefined ? {} : { host: own }) });
  const connections = new Set<PodTcpSocket>();
  server.on('connection', (socket: PodTcpSocket) => {
    if (connections.size >= MAX_CONNECTIONS) {
      socket.destroy();
      return;
    }
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
    serveConnection(socket, { answer, sent, failed });
  });
  return {
    address: server.address(),
    async close() {
      for (const socket of connections) socket.destroy();
      await server.close();
    },
  };
}

/** The bytes of the answer. Nothing for what gets none; several messages for a zone transfer over TCP. */
export function respond(
  bytes: Uint8Array,
  remote: SocketAddress,
  transport: 'udp' | 'tcp',
  answer: TransportOptions['answer'],
  sent?: TransportOptions['sent'],
): Uint8Array[] | Promise<Uint8Array[]> {
  const decoded = decodeQuery(bytes);
  if (decoded.kind === 'ignore') return [];
  if (decoded.kind === 'error') return [encodeReply(decoded, emptyReply(decoded.rcode), PLAIN_UDP_BYTES)];
  const { query } = decoded;
  const limitBytes = transport === 'tcp' ? TCP_BYTES : udpLimit(query);
  if ((query.edns?.version ?? 0) !== 0) return [encodeReply(query, emptyReply('BADVERS'), limitBytes)];
  const asked: Query = { ...query, remote, transport, sizeBytes: bytes.length, depth: 0 };
  return whenAnswered(answer(asked), (reply) => {
    const messages = messagesOf(query, reply, transport, limitBytes);
    if (sent !== undefined) for (const message of messages) sent(asked, message.length);
    return messages;
  });
}

function messagesOf(query: Asked, reply: Reply, transport: 'udp' | 'tcp', limitBytes: number): Uint8Array[] {
  if (reply.dropped) return [];
  if (transport === 'udp') return [encodeReply(query, reply, Math.min(limitBytes, reply.udpLimitBytes ?? limitBytes))];
  return [reply, ...(reply.following ?? [])].map((message) => encodeReply(query, message, limitBytes));
}

function udpLimit({ edns }: Asked): number {
  if (edns === undefined) return PLAIN_UDP_BYTES;
  return Math.min(SERVER_PAYLOAD_BYTES, Math.max(PLAIN_UDP_BYTES, edns.payloadBytes));
}

/** Answers as they are ready, in whatever order; a client that has ended still gets those it waits for. */
function serveConnection(
  socket: PodTcpSocket,
  { answer, sent, failed }: Pick<TransportOptions, 'answer' | 'sent' | 'failed'>,
): void {
  const remote = { address: socket.remoteAddress, port: socket.remotePort };
  let received: Buffer = Buffer.alloc(0);
  let waiting = 0;
  let ended = false;
  const endWhenDone = (): void => {
    if (ended && waiting === 0) socket.end();
  };
  const take = async (message: Uint8Array): Promise<void> => {
    if (++waiting >= MAX_PIPELINED) socket.pause();
    try {
      const messages = await respond(message, remote, 'tcp', answer, sent);
      if (messages.length === 0) socket.destroy();
      for (const bytes of messages) {
        if (!socket.destroyed) socket.write(Buffer.concat([lengthOf(bytes), bytes]));
      }
    } catch (error) {
      failed(error);
    }
    if (waiting-- >= MAX_PIPELINED) socket.resume();
    endWhenDone();
  };
  socket.setTimeout(IDLE_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('end', () => {
    ended = true;
    endWhenDone();
  });
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    while (received.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + received.readUInt16BE(0);
      if (received.length < end) break;
      void take(received.subarray(LENGTH_BYTES, end));
      received = received.subarray(end);
    }
  });
}

function lengthOf(bytes: Uint8Array): Uint8Array {
  return Buffer.from([bytes.length >>> 8, bytes.length & 255]);
}
