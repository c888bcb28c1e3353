/**
 * Sends through a socket of our own: the kernel reads datagrams straight from packet memory. What one turn sends to a peer
 * goes out in one system call, and what is of one size in it as one batch that the kernel cuts (UDP GSO).
 */

import type { NativeSocket } from '../../shared/native/native-socket.ts';
import type { Engine } from '../../shared/netstack/engine.ts';
import type { Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import type { PeerId } from '../datapath/link.ts';
import type { LinkCounters } from './link-counters.ts';
import { type Cursor, MAX_SEGMENTS, OutgoingMessages } from './outgoing-messages.ts';
import type { PeerEndpoints } from './peer-endpoints.ts';
import { SendQueue, turnBytesOf } from './send-queue.ts';

const EAGAIN = -11;
const ENOBUFS = -105;

export interface NativeSenderOptions {
  readonly socket: NativeSocket;
  readonly addressOf: (bytes: Uint8Array) => number;
  readonly memory: PacketMemory;
  readonly engine: Engine;
  readonly counters: LinkCounters;
  readonly peers: PeerEndpoints;
}

export class NativeSender {
  /** Off: every datagram by itself. */
  batches: boolean;
  private readonly options: NativeSenderOptions;
  private readonly counters: LinkCounters;
  private readonly socket: NativeSocket;
  private readonly memoryStart: number;
  private readonly outgoing: OutgoingMessages;
  private readonly queue: SendQueue;
  private closed = false;

  constructor(options: NativeSenderOptions, batches: boolean) {
    const { memory, engine, counters, socket, addressOf } = options;
    this.options = options;
    this.batches = batches;
    this.counters = counters;
    this.socket = socket;
    this.memoryStart = addressOf(memory.bytes);
    this.outgoing = new OutgoingMessages(memory, addressOf);
    this.queue = new SendQueue({
      memory,
      engine,
      counters,
      turnBytes: turnBytesOf(socket.receiveBufferBytes),
      transmit: (peer, packets, cursor, limitBytes) => this.transmit(peer, packets, cursor, limitBytes),
    });
  }

  get takesSuperSegments(): boolean {
    return this.outgoing.takesSuperSegments;
  }

  send(peer: PeerId, datagrams: readonly Packet[]): void {
    this.queue.send(peer, datagrams);
  }

  forget(peer: PeerId): void {
    this.queue.forget(peer);
  }

  /** The socket is not closed by it. */
  close(): void {
    this.closed = true;
    this.queue.dispose();
    this.outgoing.dispose();
  }

  /** Sends from the cursor on, up to `limitBytes`, and moves it. False when the kernel takes nothing more for now. */
  private transmit(peer: PeerId, packets: readonly Packet[], cursor: Cursor, limitBytes: number): boolean {
    const endpoint = this.options.peers.addressOf(peer);
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
}
