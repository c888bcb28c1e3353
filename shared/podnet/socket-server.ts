/**
 * Lends one pod's network to other processes over a Unix socket (mode 0600). A client that goes away takes all of its
 * sockets with it, as a process that dies does.
 */
import { chmod, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import type { PodNetwork, PodTcpServer, PodTcpSocket, PodUdpSocket } from './pod-network.ts';
import { SocketError, type SocketErrorCode, socketErrorCode } from './socket-error.ts';
import {
  CREDIT_PORTION_BYTES,
  decodeDatagram,
  decodeRequest,
  decodeUint32,
  encodeCode,
  encodeDatagram,
  encodeFrame,
  encodeMessage,
  encodeUint32,
  FRAME_KIND,
  type Frame,
  FrameReader,
  INITIAL_CREDIT_BYTES,
  type PodRequest,
  ProtocolError,
} from './socket-protocol.ts';

/** Datagrams wait in the Unix socket up to this many bytes; more are lost, as in a full receive buffer. */
const DATAGRAM_BACKLOG_BYTES = 4 << 20;
const DATA_FRAME_BYTES = 64 * 1024;

export interface PodNetworkServer {
  readonly path: string;
  close(): Promise<void>;
}

export interface ServePodNetworkOptions {
  readonly network: PodNetwork;
  /** Path of the Unix socket, at most 107 bytes; an old socket there is replaced. */
  readonly path: string;
  /** Told of clients that break the protocol. */
  readonly onProtocolError?: (error: Error) => void;
}

/** Starts serving; rejects when the socket cannot be made (the folder is missing, the path too long). */
export async function servePodNetwork(options: ServePodNetworkOptions): Promise<PodNetworkServer> {
  await rm(options.path, { force: true });
  const clients = new Set<Socket>();
  const server = createServer((socket) => {
    clients.add(socket);
    socket.once('close', () => clients.delete(socket));
    new ClientSession(options.network, socket, options.onProtocolError);
  });
  await listening(server, options.path);
  await chmod(options.path, 0o600);
  return {
    path: options.path,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of clients) socket.destroy();
      }),
  };
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

/** All that one client has open. */
class ClientSession {
  private readonly network: PodNetwork;
  private readonly link: Socket;
  private readonly connections = new Map<number, ServedConnection>();
  private readonly listeners = new Map<number, PodTcpServer>();
  private readonly datagrams = new Map<number, PodUdpSocket>();
  private readonly requests = new Map<number, AbortController>();
  private nextChannel = 1;
  private closed = false;

  constructor(network: PodNetwork, link: Socket, onProtocolError: ((error: Error) => void) | undefined) {
    this.network = network;
    this.link = link;
    const reader = new FrameReader();
    link.on('data', (chunk: Buffer) => {
      try {
        for (const frame of reader.push(chunk)) this.handle(frame);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        onProtocolError?.(error);
        link.destroy();
      }
    });
    link.on('error', () => link.destroy());
    link.once('close', () => this.close());
  }

  send(kind: number, channel: number, payload?: Uint8Array): void {
    if (this.closed) return;
    this.link.cork();
    for (const part of encodeFrame(kind, channel, payload)) this.link.write(part);
    process.nextTick(uncork, this.link);
  }

  forget(channel: number): void {
    this.connections.delete(channel);
  }

  private handle(frame: Frame): void {
    const connection = this.connections.get(frame.channel);
    switch (frame.kind) {
      case FRAME_KIND.request:
        void this.serve(frame.channel, decodeRequest(frame.payload));
        return;
      case FRAME_KIND.cancel:
        this.requests.get(frame.channel)?.abort();
        return;
      case FRAME_KIND.data:
        // A copy: the chunk's memory belongs to the Unix socket's read buffer, the bytes may wait in the stack.
        connection?.write(Uint8Array.from(frame.payload));
        return;
      case FRAME_KIND.credit:
        connection?.addCredit(decodeUint32(frame.payload));
        return;
      case FRAME_KIND.end:
        connection?.socket.end();
        return;
      case FRAME_KIND.reset:
        connection?.socket.resetAndDestroy();
        return;
      case FRAME_KIND.noDelay:
        connection?.socket.setNoDelay(decodeUint32(frame.payload) !== 0);
        return;
      case FRAME_KIND.keepAlive: {
        const idleMs = decodeUint32(frame.payload);
        connection?.socket.setKeepAlive(idleMs > 0, idleMs);
        return;
      }
      case FRAME_KIND.datagram:
        this.sendDatagram(frame);
        return;
      case FRAME_KIND.close:
        connection?.socket.destroy();
        this.listeners.get(frame.channel)?.close();
        this.listeners.delete(frame.channel);
        this.datagrams.get(frame.channel)?.close();
        this.datagrams.delete(frame.channel);
        return;
      default:
        throw new ProtocolError(`unexpected frame kind ${frame.kind}`);
    }
  }

  private async serve(channel: number, request: PodRequest): Promise<void> {
    const abort = new AbortController();
    this.requests.set(channel, abort);
    try {
      const reply = await this.perform(channel, request, abort.signal);
      if (reply !== undefined) this.send(FRAME_KIND.reply, channel, encodeMessage(reply));
    } catch (error) {
      this.send(FRAME_KIND.failure, channel, encodeMessage(failureOf(error, request.op)));
    } finally {
      this.requests.delete(channel);
    }
  }

  private async perform(channel: number, request: PodRequest, signal: AbortSignal): Promise<unknown> {
    switch (request.op) {
      case 'connect': {
        const socket = await this.network.connectTcp({ ...request, allowHalfOpen: true }, signal);
        if (this.closed || signal.aborted) {
          socket.destroy();
          return undefined;
        }
        // The reply goes out before the first data frame of the connection.
        this.send(FRAME_KIND.reply, channel, encodeMessage(endpointsOf(socket)));
        this.adopt(channel, socket);
        return undefined;
      }
      case 'listen': {
        const server = await this.network.listenTcp({ ...request, allowHalfOpen: true });
        if (this.closed) {
          await server.close();
          return undefined;
        }
        this.listeners.set(channel, server);
        server.on('connection', (socket: PodTcpSocket) => {
          const accepted = this.nextChannel;
          this.nextChannel += 2;
          this.send(FRAME_KIND.accepted, channel, encodeMessage({ ...endpointsOf(socket), channel: accepted }));
          this.adopt(accepted, socket);
        });
        return server.address();
      }
      case 'bind-udp': {
        const socket = await this.network.bindUdp(request);
        if (this.closed) {
          socket.close();
          return undefined;
        }
        this.datagrams.set(channel, socket);
        this.forwardDatagrams(channel, socket);
        return socket.address();
      }
      case 'ping':
        return this.network.ping(request, signal);
      case 'addresses':
        return { addresses: await this.network.addresses() };
    }
  }

  private adopt(channel: number, socket: PodTcpSocket): void {
    this.connections.set(channel, new ServedConnection(this, channel, socket));
  }

  private forwardDatagrams(channel: number, socket: PodUdpSocket): void {
    socket.on('message', (data: Uint8Array, from: { address: string; port: number }) => {
      if (this.link.writableLength > DATAGRAM_BACKLOG_BYTES) return;
      this.send(FRAME_KIND.datagram, channel, encodeDatagram({ number: 0, ...from, data }));
    });
    socket.on('error', (error: unknown) => {
      this.send(FRAME_KIND.socketError, channel, encodeCode(socketErrorCode(error) ?? 'ECONNREFUSED'));
    });
  }

  private sendDatagram(frame: Frame): void {
    const datagram = decodeDatagram(frame.payload);
    const answer = (code: SocketErrorCode | null): void => {
      const payload = Buffer.concat([encodeUint32(datagram.number), encodeCode(code)]);
      this.send(FRAME_KIND.sent, frame.channel, payload);
    };
    const socket = this.datagrams.get(frame.channel);
    if (socket === undefined) return;
    socket.send(datagram.data, datagram.port, datagram.address).then(
      () => answer(null),
      (error: unknown) => answer(socketErrorCode(error) ?? 'EINVAL'),
    );
  }

  private close(): void {
    this.closed = true;
    for (const abort of this.requests.values()) abort.abort();
    for (const connection of this.connections.values()) connection.socket.destroy();
    for (const server of this.listeners.values()) void server.close();
    for (const socket of this.datagrams.values()) socket.close();
    this.connections.clear();
    this.listeners.clear();
    this.datagrams.clear();
  }
}

function uncork(link: Socket): void {
  link.uncork();
}

/** One connection of a client: bytes to it as far as its credit goes, bytes from it as fast as the stack takes them. */
class ServedConnection {
  readonly socket: PodTcpSocket;
  private readonly session: ClientSession;
  private readonly channel: number;
  private credit = INITIAL_CREDIT_BYTES;
  private owed = 0;

  constructor(session: ClientSession, channel: number, socket: PodTcpSocket) {
    this.session = session;
    this.channel = channel;
    this.socket = socket;
    let failure: SocketErrorCode | null = null;
    socket.on('data', (bytes: Uint8Array) => this.forward(bytes));
    socket.on('end', () => session.send(FRAME_KIND.end, channel));
    socket.on('error', (error: unknown) => {
      failure = socketErrorCode(error) ?? 'ECONNRESET';
    });
    socket.once('close', () => {
      session.send(FRAME_KIND.close, channel, encodeCode(failure));
      session.forget(channel);
    });
  }

  write(bytes: Uint8Array): void {
    if (!this.socket.writable) return;
    this.socket.write(bytes, (error) => {
      if (error) return;
      this.owed += bytes.length;
      if (this.owed < CREDIT_PORTION_BYTES) return;
      this.session.send(FRAME_KIND.credit, this.channel, encodeUint32(this.owed));
      this.owed = 0;
    });
  }

  addCredit(bytes: number): void {
    this.credit += bytes;
    if (this.credit > 0) this.socket.resume();
  }

  private forward(bytes: Uint8Array): void {
    // Credit may be overdrawn by one chunk: the client's buffer bounds are soft, its reader's are not affected.
    this.credit -= bytes.length;
    for (let start = 0; start < bytes.length; start += DATA_FRAME_BYTES) {
      this.session.send(FRAME_KIND.data, this.channel, bytes.subarray(start, start + DATA_FRAME_BYTES));
    }
    if (this.credit <= 0) this.socket.pause();
  }
}

function endpointsOf(socket: PodTcpSocket): object {
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  return { localAddress, localPort, remoteAddress, remotePort };
}

function failureOf(error: unknown, op: string): object {
  if (error instanceof SocketError) {
    return { code: error.code, syscall: error.syscall, address: error.address, port: error.port };
  }
  return { code: socketErrorCode(error) ?? 'ECANCELED', syscall: op };
}
