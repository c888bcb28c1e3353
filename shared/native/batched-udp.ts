/**
 * A UDP socket for many small datagrams: what waits is taken by one system call, and what one turn of the event loop sends
 * leaves by another. IPv4 (`native-socket.ts` says where it can be had).
 *
 *   readable -> recvmmsg -> onMessage ... -> sendmmsg
 */
import { HEADER_BYTES, MessageVectors } from './message-vectors.ts';
import { NativeCallError } from './native-library.ts';
import type { NativeSocket, NativeSockets, SocketEndpoint } from './native-socket.ts';

export interface BatchedUdpOptions {
  readonly bind: SocketEndpoint;
  /** Of each direction. */
  readonly bufferBytes: number;
  /** The bytes are the receiver's to keep. What it throws is an uncaught exception. */
  readonly onMessage: (bytes: Uint8Array, from: SocketEndpoint) => void;
  /** Of a datagram that could not leave. */
  readonly onError: (error: Error) => void;
}

const RECEIVE_MESSAGES = 32;
/** Between two turns timers and other sockets have theirs. */
const RECEIVE_CALLS_A_TURN = 4;
const MAX_DATAGRAM_BYTES = 65_536;
const SEND_MESSAGES = 64;
const SEND_BYTES = 4 * MAX_DATAGRAM_BYTES;
/** The system's own queue is full: it is tried again after this time. */
const SEND_AGAIN_MS = 1;
/** Endpoints whose text, or number, is remembered. */
const MAX_KNOWN_ENDPOINTS = 16_384;
const EAGAIN = -11;
const SELF_TEST_LIMIT_MS = 500;

export class BatchedUdpSocket {
  private readonly options: BatchedUdpOptions;
  private readonly socket: NativeSocket;
  private readonly incoming: MessageVectors;
  /** What the kernel writes into, a piece a message; pages that no datagram reached cost no memory. */
  private readonly received = Buffer.alloc(RECEIVE_MESSAGES * MAX_DATAGRAM_BYTES);
  private readonly outgoing: MessageVectors;
  private readonly sending = Buffer.alloc(SEND_BYTES);
  private readonly sendingStart: number;
  /** The messages that wait in `outgoing`, and where the bytes of the last one end in `sending`. */
  private first = 0;
  private end = 0;
  private endBytes = 0;
  private readonly senders = new Map<number, SocketEndpoint>();
  private readonly addresses = new Map<string, number>();
  /** In a turn that ends with what it sends. */
  private inTurn = false;
  private soon: NodeJS.Immediate | undefined;
  private again: NodeJS.Timeout | undefined;
  private closed = false;

  /** Throws NativeCallError where it cannot be bound or polled. */
  constructor(sockets: NativeSockets, options: BatchedUdpOptions) {
    const { bind, bufferBytes } = options;
    this.options = options;
    this.incoming = new MessageVectors(RECEIVE_MESSAGES, RECEIVE_MESSAGES, sockets.addressOf);
    this.outgoing = new MessageVectors(SEND_MESSAGES, SEND_MESSAGES, sockets.addressOf);
    this.sendingStart = sockets.addressOf(this.sending);
    const receivedStart = sockets.addressOf(this.received);
    for (let message = 0; message < RECEIVE_MESSAGES; message++) {
      this.incoming.setParts(message, message, 1);
      this.incoming.setPart(message, receivedStart + message * MAX_DATAGRAM_BYTES, MAX_DATAGRAM_BYTES);
      this.incoming.prepareToReceive(message);
    }
    for (let message = 0; message < SEND_MESSAGES; message++) this.outgoing.setParts(message, message, 1);
    this.socket = sockets.open({ bind, bufferBytes, joined: false });
    try {
      this.socket.poll(() => this.readable());
    } catch (error) {
      this.socket.close();
      throw error;
    }
  }

  get local(): SocketEndpoint {
    return this.socket.local;
  }

  /** Copies the bytes; they leave at the end of the turn. What finds no room any more is dropped, as a network drops it. */
  send(bytes: Uint8Array, port: number, address: string): void {
    if (this.closed) return;
    if (!this.hasRoomFor(bytes.length)) this.flush();
    if (!this.hasRoomFor(bytes.length)) return;
    const message = this.end++;
    this.sending.set(bytes, this.endBytes);
    this.outgoing.setPart(message, this.sendingStart + this.endBytes, bytes.length);
    this.outgoing.setDestination(message, this.numberOf(address), port);
    this.endBytes += bytes.length;
    if (!this.inTurn && this.again === undefined) this.soon ??= setImmediate(() => this.flush());
  }

  close(): void {
    if (this.closed) return;
    this.flush();
    clearTimeout(this.again);
    this.closed = true;
    this.socket.close();
  }

  private hasRoomFor(bytes: number): boolean {
    return this.end < SEND_MESSAGES && this.endBytes + bytes <= SEND_BYTES;
  }

  /** Called by libuv, which cannot take an error: one is raised where uncaught ones are seen. */
  private readable(): void {
    this.inTurn = true;
    try {
      for (let call = 0; call < RECEIVE_CALLS_A_TURN && !this.closed; call++) {
        if (this.receiveSome() < RECEIVE_MESSAGES) break;
      }
      this.flush();
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    } finally {
      this.inTurn = false;
    }
  }

  private receiveSome(): number {
    const { incoming, options, received } = this;
    const count = this.socket.receive(incoming.start, RECEIVE_MESSAGES);
    for (let message = 0; message < count; message++) {
      const start = message * MAX_DATAGRAM_BYTES;
      const bytes = Buffer.allocUnsafe(incoming.receivedBytes(message));
      received.copy(bytes, 0, start, start + bytes.length);
      const from = this.senderOf(message);
      incoming.prepareToReceive(message);
      if (!this.closed) options.onMessage(bytes, from);
    }
    return count;
  }

  private senderOf(message: number): SocketEndpoint {
    const key = this.incoming.senderKey(message);
    const known = this.senders.get(key);
    if (known !== undefined) return known;
    const sender = this.incoming.sender(message);
    if (this.senders.size >= MAX_KNOWN_ENDPOINTS) this.senders.clear();
    this.senders.set(key, sender);
    return sender;
  }

  private numberOf(address: string): number {
    const known = this.addresses.get(address);
    if (known !== undefined) return known;
    const number = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    if (this.addresses.size >= MAX_KNOWN_ENDPOINTS) this.addresses.clear();
    this.addresses.set(address, number);
    return number;
  }

  private flush(): void {
    clearImmediate(this.soon);
    clearTimeout(this.again);
    this.soon = undefined;
    this.again = undefined;
    while (this.first < this.end && !this.closed) {
      const outcome = this.socket.send(this.outgoing.start + this.first * HEADER_BYTES, this.end - this.first);
      if (outcome === EAGAIN) {
        this.again = setTimeout(() => this.flush(), SEND_AGAIN_MS);
        return;
      }
      if (outcome < 0) this.options.onError(new NativeCallError('sendmmsg', outcome));
      this.first += Math.max(outcome, 1);
    }
    this.first = 0;
    this.end = 0;
    this.endBytes = 0;
  }
}

/** Rejects, saying why, where a datagram that such a socket sends to itself does not arrive. */
export async function testBatchedUdp(sockets: NativeSockets): Promise<void> {
  const arrived = Promise.withResolvers<void>();
  const socket = new BatchedUdpSocket(sockets, {
    bind: { address: '127.0.0.1', port: 0 },
    bufferBytes: MAX_DATAGRAM_BYTES,
    onMessage: () => arrived.resolve(),
    onError: arrived.reject,
  });
  const fail = (): void => arrived.reject(new Error('a datagram sent to itself did not arrive'));
  // The time may be over because this process had no processor: sockets, and what they put off, have their turns first.
  const timeout = setTimeout(() => setImmediate(() => setImmediate(fail)), SELF_TEST_LIMIT_MS);
  try {
    socket.send(Uint8Array.of(1), socket.local.port, socket.local.address);
    await arrived.promise;
  } finally {
    clearTimeout(timeout);
    socket.close();
  }
}
