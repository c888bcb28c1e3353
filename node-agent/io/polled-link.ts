/**
 * Tier 2 of the link between nodes: a socket of our own, polled through libuv. The kernel writes datagrams straight into
 * packet memory and reads them from there; what one turn sends to a peer goes out in one system call, and datagrams of
 * one size in it as one batch that the kernel cuts (UDP GSO) and the other end takes whole (UDP GRO).
 *
 *   sendmmsg: message = { peer, [packet, packet, ...], segment size }, ...
 *   recvmmsg: message = { sender, [a posted packet | what does not fit into it: spill] }, ...
 */
import { HEADROOM_BYTES, type Packet, SMALL_SLOT_BYTES } from '../../shared/wire/packet-memory.ts';
import type { LinkEndpoint, PeerId, UnderlayLink } from '../datapath/link.ts';
import { type LinkCounters, zeroLinkCounters } from './link-counters.ts';
import { MessageVectors } from './message-vectors.ts';
import type { NativeSocket, NativeSockets } from './native-socket.ts';
import { PeerEndpoints } from './peer-endpoints.ts';
import {
  bindChoices,
  LinkBindError,
  SOCKET_BUFFER_BYTES,
  type SocketLink,
  type SocketLinkOptions,
} from './socket-link.ts';

const RECEIVE_MESSAGES = 16;
/** Between two of them timers and other sockets have their turn. */
const RECEIVE_CALLS_A_TURN = 4;
const POSTED_BYTES = SMALL_SLOT_BYTES - HEADROOM_BYTES;
const MAX_DATAGRAM_BYTES = 65_536;

/** Endpoints that senders were looked up for; a kernel's VXLAN device has one for each flow. */
const MAX_KNOWN_SENDERS = 65_536;

const SEND_MESSAGES = 64;
const SEND_PARTS = 512;
/** UDP_MAX_SEGMENTS of the oldest kernels that have UDP GSO. */
const MAX_SEGMENTS = 64;
const MAX_BATCH_BYTES = 65_000;
const EAGAIN = -11;
const ENOBUFS = -105;

export interface PolledLinkOptions extends SocketLinkOptions {
  readonly sockets: NativeSockets;
  /** False: a datagram of its own for each, as captures of the real socket want it. */
  readonly batches?: boolean;
}

export class PolledLink implements SocketLink {
  readonly counters: LinkCounters = zeroLinkCounters();
  onReceive: UnderlayLink['onReceive'] = null;
  private readonly options: PolledLinkOptions;
  private readonly maxSegments: number;
  private readonly socket: NativeSocket;
  private readonly memoryStart: number;
  private readonly peers = new PeerEndpoints();
  /** By `senderKey`: what `peers` says of a sender, until they change. */
  private readonly senders = new Map<number, PeerId>();
  private readonly incoming: MessageVectors;
  private readonly outgoing: MessageVectors;
  /** What the kernel writes into next, by message. */
  private readonly posted: (Packet | undefined)[] = [];
  private readonly spill = new Uint8Array(RECEIVE_MESSAGES * MAX_DATAGRAM_BYTES);
  private readonly received: Packet[] = [];
  /** Datagrams of each message that is built. */
  private readonly messageSizes: number[] = [];
  private closed = false;

  /** Binds where it can (`bindChoices`); `local` says what it became. Throws LinkBindError. */
  constructor(options: PolledLinkOptions) {
    const { sockets, memory } = options;
    this.options = options;
    this.maxSegments = options.batches === false ? 1 : MAX_SEGMENTS;
    this.memoryStart = sockets.addressOf(memory.bytes);
    this.outgoing = new MessageVectors(SEND_MESSAGES, SEND_PARTS, sockets.addressOf);
    this.incoming = new MessageVectors(RECEIVE_MESSAGES, RECEIVE_MESSAGES * 2, sockets.addressOf);
    const spillStart = sockets.addressOf(this.spill);
    for (let message = 0; message < RECEIVE_MESSAGES; message++) {
      this.incoming.setParts(message, message * 2, 2);
      this.incoming.setPart(message * 2 + 1, spillStart + message * MAX_DATAGRAM_BYTES, MAX_DATAGRAM_BYTES);
    }
    this.socket = this.bind();
  }

  get local(): LinkEndpoint {
    return this.socket.local;
  }

  addPeer(endpoint: LinkEndpoint): PeerId {
    this.senders.clear();
    return this.peers.add(endpoint);
  }

  removePeer(peer: PeerId): void {
    this.senders.clear();
    this.peers.remove(peer);
  }

  send(peer: PeerId, datagrams: readonly Packet[]): void {
    const endpoint = this.peers.endpointOf(peer);
    if (endpoint === undefined || this.closed) {
      this.counters.sendOverflows += datagrams.length;
    } else {
      for (let next = 0; next < datagrams.length; ) next = this.sendSome(endpoint, datagrams, next, this.maxSegments);
    }
    for (const datagram of datagrams) this.options.memory.free(datagram);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.socket.close();
    for (const packet of this.posted.splice(0)) if (packet !== undefined) this.options.memory.free(packet);
  }

  private bind(): NativeSocket {
    const { sockets, bind } = this.options;
    let failure = new Error('not tried');
    for (const choice of bindChoices(bind)) {
      try {
        return sockets.open(choice, SOCKET_BUFFER_BYTES, () => this.readable());
      } catch (error) {
        failure = error instanceof Error ? error : new Error(String(error));
      }
    }
    throw new LinkBindError(bind, failure);
  }

  /** One system call; the index of the first datagram that is still to be dealt with. */
  private sendSome(endpoint: LinkEndpoint, datagrams: readonly Packet[], first: number, maxSegments: number): number {
    const { messageSizes, outgoing } = this;
    messageSizes.length = 0;
    let end = first;
    while (end < datagrams.length && messageSizes.length < SEND_MESSAGES) {
      const count = this.runLength(datagrams, end, Math.min(maxSegments, SEND_PARTS - (end - first)));
      if (count === 0) break;
      const message = messageSizes.push(count) - 1;
      outgoing.setDestination(message, endpoint);
      outgoing.setParts(message, end - first, count);
      outgoing.setSegmentBytes(message, count > 1 ? (datagrams[end] as Packet).length : 0);
      for (let i = 0; i < count; i++) {
        const { offset, length } = datagrams[end + i] as Packet;
        outgoing.setPart(end - first + i, this.memoryStart + offset, length);
      }
      end += count;
    }
    const sent = this.socket.send(outgoing.bytes, messageSizes.length);
    return sent > 0 ? this.countSent(first, sent) : this.dealWithFailure(sent, endpoint, datagrams, first);
  }

  private countSent(first: number, messages: number): number {
    let count = 0;
    for (let message = 0; message < messages; message++) count += this.messageSizes[message] as number;
    this.counters.datagramsSent += count;
    return first + count;
  }

  /** A batch that the way to this peer does not take (segments over its MTU) goes one by one; a datagram is lost. */
  private dealWithFailure(
    failure: number,
    endpoint: LinkEndpoint,
    datagrams: readonly Packet[],
    first: number,
  ): number {
    const size = this.messageSizes[0] as number;
    if (failure === EAGAIN || failure === ENOBUFS) {
      this.counters.sendOverflows += datagrams.length - first;
      return datagrams.length;
    }
    if (size === 1) {
      this.counters.sendErrors++;
      return first + 1;
    }
    const batch = datagrams.slice(first, first + size);
    for (let next = 0; next < size; ) next = this.sendSome(endpoint, batch, next, 1);
    return first + size;
  }

  /** How many datagrams from `first` on make one batch: all of one size, the last one shorter perhaps. */
  private runLength(datagrams: readonly Packet[], first: number, limit: number): number {
    if (limit <= 0) return 0;
    const { length } = datagrams[first] as Packet;
    let total = length;
    let count = 1;
    while (count < limit && first + count < datagrams.length) {
      const next = (datagrams[first + count] as Packet).length;
      total += next;
      if (next > length || total > MAX_BATCH_BYTES) break;
      count++;
      if (next < length) break;
    }
    return count;
  }

  /** Called by libuv, which cannot take an error: one is raised where uncaught ones are seen. */
  private readable(): void {
    if (this.closed) return;
    const { loop } = this.options;
    loop.enter();
    try {
      for (let call = 0; call < RECEIVE_CALLS_A_TURN; call++) {
        if (this.receiveSome() < RECEIVE_MESSAGES || this.closed) break;
      }
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    } finally {
      loop.leave();
    }
  }

  /** One system call; how many messages came. */
  private receiveSome(): number {
    for (let message = 0; message < RECEIVE_MESSAGES; message++) this.post(message);
    const count = this.socket.receive(this.incoming.bytes, RECEIVE_MESSAGES);
    let from: PeerId | undefined;
    for (let message = 0; message < count; message++) {
      const peer = this.senderOf(message);
      if (peer !== from) this.deliver(from);
      from = peer;
      if (peer === undefined || this.onReceive === null) this.counters.foreignSenders++;
      else this.take(message);
    }
    this.deliver(from);
    return count;
  }

  private senderOf(message: number): PeerId | undefined {
    const key = this.incoming.senderKey(message);
    const known = this.senders.get(key);
    if (known !== undefined) return known;
    const { address, port } = this.incoming.sender(message);
    const peer = this.peers.senderOf(address, port);
    if (peer !== undefined && this.senders.size < MAX_KNOWN_SENDERS) this.senders.set(key, peer);
    return peer;
  }

  private deliver(peer: PeerId | undefined): void {
    if (this.received.length === 0) return;
    this.counters.datagramsReceived += this.received.length;
    if (peer !== undefined && this.onReceive !== null) this.onReceive(peer, this.received);
    this.received.length = 0;
  }

  /** Without packet memory the kernel writes into the spill alone, and the datagram is lost there. */
  private post(message: number): void {
    this.incoming.prepareToReceive(message);
    if (this.posted[message] !== undefined) return;
    const packet = this.options.memory.allocate(POSTED_BYTES);
    this.posted[message] = packet;
    if (packet === undefined) this.incoming.setPart(message * 2, 0, 0);
    else this.incoming.setPart(message * 2, this.memoryStart + packet.offset, POSTED_BYTES);
  }

  private take(message: number): void {
    const packet = this.posted[message];
    const total = this.incoming.receivedBytes(message);
    const segmentBytes = this.incoming.receivedSegmentBytes(message) || total;
    if (packet === undefined || this.incoming.truncated(message)) {
      this.counters.receiveDrops += segmentBytes === 0 ? 1 : Math.ceil(total / segmentBytes);
      return;
    }
    if (segmentBytes > POSTED_BYTES) {
      for (let start = 0; start < total; start += segmentBytes) {
        this.takeCopy(message, packet, start, Math.min(segmentBytes, total - start));
      }
      return;
    }
    this.posted[message] = undefined;
    packet.length = segmentBytes;
    this.received.push(packet);
    for (let start = segmentBytes; start < total; start += segmentBytes) {
      this.takeCopy(message, packet, start, Math.min(segmentBytes, total - start));
    }
  }

  /** A datagram that does not begin a posted packet, or does not fit into one. */
  private takeCopy(message: number, posted: Packet, start: number, length: number): void {
    const { memory } = this.options;
    const copy = memory.allocate(length);
    if (copy === undefined) {
      this.counters.receiveDrops++;
      return;
    }
    const inPosted = Math.max(0, Math.min(length, POSTED_BYTES - start));
    if (inPosted > 0) memory.bytes.copyWithin(copy.offset, posted.offset + start, posted.offset + start + inPosted);
    if (inPosted < length) {
      const spilt = message * MAX_DATAGRAM_BYTES + start + inPosted - POSTED_BYTES;
      memory.bytes.set(this.spill.subarray(spilt, spilt + length - inPosted), copy.offset + inPosted);
    }
    this.received.push(copy);
  }
}
