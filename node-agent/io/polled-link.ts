/**
 * Tier 2 of the link between nodes: a socket of our own, polled through libuv. The kernel reads datagrams straight from
 * packet memory and writes them there; what one turn sends to a peer goes out in one system call, and what is of one size in
 * it as one batch that the kernel cuts (UDP GSO) and the other end takes whole (UDP GRO).
 *
 *   send    -> [waiting] -> OutgoingMessages -> sendmmsg
 *   recvmmsg -> receive areas -> a packet each, or merged segments (SegmentMerger) -> onReceive
 */
import type { Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import type { LinkEndpoint, PeerId, UnderlayLink } from '../datapath/link.ts';
import { SegmentMerger } from '../datapath/segment-merger.ts';
import { type LinkCounters, zeroLinkCounters } from './link-counters.ts';
import { MessageVectors } from './message-vectors.ts';
import type { NativeSocket, NativeSockets } from './native-socket.ts';
import { type Cursor, MAX_SEGMENTS, OutgoingMessages } from './outgoing-messages.ts';
import { PeerEndpoints } from './peer-endpoints.ts';
import { SendQueue } from './send-queue.ts';
import {
  bindChoices,
  LinkBindError,
  SOCKET_BUFFER_BYTES,
  type SocketLink,
  type SocketLinkOptions,
} from './socket-link.ts';

const RECEIVE_MESSAGES = 8;
/** Between two of them timers and other sockets have their turn. */
const RECEIVE_CALLS_A_TURN = 4;
const MAX_DATAGRAM_BYTES = 65_536;

/** Endpoints that senders were looked up for; a kernel's VXLAN device has one for each flow. */
const MAX_KNOWN_SENDERS = 65_536;

const EAGAIN = -11;
const ENOBUFS = -105;

export interface PolledLinkOptions extends SocketLinkOptions {
  readonly sockets: NativeSockets;
}

export class PolledLink implements SocketLink {
  readonly counters: LinkCounters = zeroLinkCounters();
  onReceive: UnderlayLink['onReceive'] = null;
  batches: boolean;
  private readonly options: PolledLinkOptions;
  private readonly memory: PacketMemory;
  private readonly socket: NativeSocket;
  private readonly memoryStart: number;
  private readonly peers = new PeerEndpoints();
  /** By `senderKey`: what `peers` says of a sender, until they change. */
  private readonly senders = new Map<number, PeerId>();
  private readonly incoming: MessageVectors;
  private readonly outgoing: OutgoingMessages;
  private readonly queue: SendQueue;
  private readonly merger: SegmentMerger;
  /** What the kernel writes into. */
  private readonly areas: Packet[] = [];
  private readonly received: Packet[] = [];
  private closed = false;

  /** Binds where it can (`bindChoices`); `local` says what it became. Throws LinkBindError. */
  constructor(options: PolledLinkOptions) {
    const { sockets, memory, loop } = options;
    this.options = options;
    this.memory = memory;
    this.batches = options.batches !== false;
    this.memoryStart = sockets.addressOf(memory.bytes);
    this.merger = new SegmentMerger(memory);
    this.outgoing = new OutgoingMessages(memory, sockets.addressOf);
    this.incoming = new MessageVectors(RECEIVE_MESSAGES, RECEIVE_MESSAGES, sockets.addressOf);
    this.socket = this.bind();
    this.addReceiveAreas();
    this.queue = new SendQueue({
      memory,
      engine: loop.engine,
      counters: this.counters,
      turnBytes: this.socket.receiveBufferBytes >>> 2,
      transmit: (peer, packets, cursor, limitBytes) => this.transmit(peer, packets, cursor, limitBytes),
    });
  }

  get local(): LinkEndpoint {
    return this.socket.local;
  }

  takesSuperSegments(): boolean {
    return this.outgoing.takesSuperSegments;
  }

  addPeer(endpoint: LinkEndpoint): PeerId {
    this.senders.clear();
    return this.peers.add(endpoint);
  }

  removePeer(peer: PeerId): void {
    this.senders.clear();
    this.peers.remove(peer);
    this.queue.forget(peer);
  }

  send(peer: PeerId, datagrams: readonly Packet[]): void {
    this.queue.send(peer, datagrams);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.queue.dispose();
    this.socket.close();
    this.outgoing.dispose();
    for (const area of this.areas.splice(0)) this.memory.free(area);
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

  /** Sends from the cursor on, up to `limitBytes`, and moves it. False when the kernel takes nothing more for now. */
  private transmit(peer: PeerId, packets: readonly Packet[], cursor: Cursor, limitBytes: number): boolean {
    const endpoint = this.peers.addressOf(peer);
    if (endpoint === undefined || this.closed) {
      this.counters.sendOverflows += packets.length - cursor.packet;
      cursor.packet = packets.length;
      cursor.segment = 0;
      return true;
    }
    const { address, port } = endpoint;
    const only = packets[cursor.packet] as Packet;
    if (cursor.packet === packets.length - 1 && only.segmentBytes === 0)
      return this.transmitOne(only, address, port, cursor);
    const maxSegments = this.batches ? MAX_SEGMENTS : 1;
    let left = limitBytes;
    while (cursor.packet < packets.length && left > 0) {
      this.outgoing.build(address, port, packets, cursor, maxSegments);
      const sent = this.socket.send(this.outgoing.vectors.start, this.outgoing.count);
      if (sent === EAGAIN || sent === ENOBUFS) return false;
      if (sent > 0) left -= this.countSent(packets, cursor, sent);
      else this.sendSingly(address, port, packets, cursor);
    }
    return true;
  }

  /** The usual case of a quiet link: a datagram by itself. */
  private transmitOne(packet: Packet, address: number, port: number, cursor: Cursor): boolean {
    const { vectors } = this.outgoing;
    vectors.setDestination(0, address, port);
    const sent = this.socket.sendOne(this.memoryStart + packet.offset, packet.length, vectors.nameAddress(0));
    if (sent === EAGAIN || sent === ENOBUFS) return false;
    if (sent >= 0) this.counters.datagramsSent++;
    else this.counters.sendErrors++;
    cursor.packet++;
    return true;
  }

  /** Bytes that went. */
  private countSent(packets: readonly Packet[], cursor: Cursor, messages: number): number {
    const { packet: before } = cursor;
    for (let message = 0; message < messages; message++) this.counters.datagramsSent += this.outgoing.sizeOf(message);
    this.outgoing.seek(cursor, messages);
    let bytes = 0;
    for (let i = before; i < cursor.packet; i++) bytes += (packets[i] as Packet).length;
    return bytes;
  }

  /** A batch that the way to this peer does not take (segments over its MTU) goes one by one; a datagram is lost. */
  private sendSingly(address: number, port: number, packets: readonly Packet[], cursor: Cursor): void {
    const end: Cursor = { packet: 0, segment: 0 };
    this.outgoing.seek(end, 1);
    while (cursor.packet < end.packet || (cursor.packet === end.packet && cursor.segment < end.segment)) {
      this.outgoing.build(address, port, packets, cursor, 1);
      const sent = this.socket.send(this.outgoing.vectors.start, 1);
      if (sent > 0) this.counters.datagramsSent++;
      else this.counters.sendErrors++;
      this.outgoing.seek(cursor, 1);
    }
  }

  /** Called by libuv, which cannot take an error: one is raised where uncaught ones are seen. */
  private readable(): void {
    if (this.closed) return;
    const { loop } = this.options;
    loop.enter();
    try {
      for (let call = 0; call < RECEIVE_CALLS_A_TURN; call++) {
        if (this.receiveSome() < this.areas.length || this.closed) break;
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
    const count = this.socket.receive(this.incoming.start, this.areas.length);
    let from: PeerId | undefined;
    for (let message = 0; message < count; message++) {
      const peer = this.senderOf(message);
      if (peer !== from) this.deliver(from);
      from = peer;
      if (peer === undefined || this.onReceive === null) this.counters.foreignSenders++;
      else this.take(message);
      this.incoming.prepareToReceive(message);
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
    if (peer !== undefined && this.onReceive !== null) this.onReceive(peer, this.received);
    this.received.length = 0;
  }

  /** Pages of an area that no datagram reached cost no memory. */
  private addReceiveAreas(): void {
    for (let message = 0; message < RECEIVE_MESSAGES; message++) {
      const area = this.memory.allocate(MAX_DATAGRAM_BYTES);
      if (area === undefined) break;
      this.areas.push(area);
      this.incoming.setParts(message, message, 1);
      this.incoming.setPart(message, this.memoryStart + area.offset, MAX_DATAGRAM_BYTES);
      this.incoming.prepareToReceive(message);
    }
    if (this.areas.length > 0) return;
    this.socket.close();
    throw new Error('packet memory has no large slot to receive into');
  }

  private take(message: number): void {
    const { memory, counters, received, merger } = this;
    const { offset } = this.areas[message] as Packet;
    const total = this.incoming.receivedBytes(message);
    const segmentBytes = this.incoming.receivedSegmentBytes(message) || total;
    if (segmentBytes < total) {
      const count = Math.ceil(total / segmentBytes);
      const lost = merger.take(offset, total, segmentBytes, received);
      counters.receiveDrops += lost;
      counters.datagramsReceived += count - lost;
      return;
    }
    const packet = memory.allocate(total);
    if (packet === undefined) {
      counters.receiveDrops++;
      return;
    }
    memory.bytes.copyWithin(packet.offset, offset, offset + total);
    counters.datagramsReceived++;
    received.push(packet);
  }
}
