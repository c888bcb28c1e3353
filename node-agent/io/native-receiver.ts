/**
 * Takes what waits at a socket of our own: the kernel writes datagrams, joined where they came together (UDP GRO), straight
 * into packet memory.
 *
 *   recvmmsg -> receive areas -> a packet each, or merged segments (SegmentMerger) -> onReceive
 */

import { MessageVectors } from '../../shared/native/message-vectors.ts';
import type { NativeSocket } from '../../shared/native/native-socket.ts';
import { clearArray } from '../../shared/wire/clear-array.ts';
import type { Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import type { PeerId, UnderlayLink } from '../datapath/link.ts';
import { SegmentMerger } from '../datapath/segment-merger.ts';
import type { LinkCounters } from './link-counters.ts';
import { OneByOne } from './one-by-one.ts';
import type { PeerEndpoints } from './peer-endpoints.ts';

const RECEIVE_MESSAGES = 8;
/** Between two turns timers and other sockets have theirs. */
const RECEIVE_CALLS_A_TURN = 4;
const MAX_DATAGRAM_BYTES = 65_536;
/** One of this size is seldom the only one. */
const FULL_BYTES = 1200;

/** Endpoints that senders were looked up for; a kernel's VXLAN device has one for each flow. */
const MAX_KNOWN_SENDERS = 65_536;

export interface NativeReceiverOptions {
  /** Whose `onReceive` is called. */
  readonly link: Pick<UnderlayLink, 'onReceive'>;
  readonly socket: NativeSocket;
  readonly addressOf: (bytes: Uint8Array) => number;
  readonly memory: PacketMemory;
  readonly counters: LinkCounters;
  readonly peers: PeerEndpoints;
}

export class NativeReceiver {
  private readonly options: NativeReceiverOptions;
  private readonly memory: PacketMemory;
  private readonly counters: LinkCounters;
  /** By `senderKey`: what `peers` says of a sender, until they change. */
  private readonly senders = new Map<number, PeerId>();
  private readonly incoming: MessageVectors;
  private readonly merger: SegmentMerger;
  /** What the kernel writes into. */
  private readonly areas: Packet[] = [];
  private readonly received: Packet[] = [];
  private closed = false;
  /** The sender looked up last. */
  private lastKey = -1;
  private lastPeer: PeerId | undefined;
  private readonly oneByOne = new OneByOne(false);

  /** Throws when packet memory has no large slot left. */
  constructor(options: NativeReceiverOptions) {
    const { memory, counters, addressOf } = options;
    this.options = options;
    this.memory = memory;
    this.counters = counters;
    this.merger = new SegmentMerger(memory);
    this.incoming = new MessageVectors(RECEIVE_MESSAGES, RECEIVE_MESSAGES, addressOf);
    this.addAreas(addressOf(memory.bytes));
    if (this.areas.length === 0) throw new Error('packet memory has no large slot to receive into');
  }

  /** Within a turn of the engine: takes what waits, up to a bound. How many messages came by the last system call. */
  receive(): number {
    let count = 0;
    for (let call = 0; call < RECEIVE_CALLS_A_TURN && !this.closed; call++) {
      count = this.receiveSome(this.areas.length);
      if (count < this.areas.length) break;
    }
    return count;
  }

  /** The same for who is called again while something waits: datagrams that come one by one are taken so. */
  receiveAgain(): void {
    const isAlone = this.oneByOne.takesAlone();
    const count = isAlone ? this.receiveSome(1) : this.receive();
    const isOneSmall = count === 1 && this.incoming.receivedBytes(0) < FULL_BYTES;
    if (!isAlone || !isOneSmall) this.oneByOne.looked(isOneSmall);
  }

  /** The peers have changed. */
  forgetSenders(): void {
    this.senders.clear();
    this.lastKey = -1;
  }

  /** The socket is not closed by it. */
  close(): void {
    this.closed = true;
    for (const area of this.areas.splice(0)) this.memory.free(area);
  }

  /** One system call; how many messages came. */
  private receiveSome(limit: number): number {
    const { socket, link } = this.options;
    const count = socket.receive(this.incoming.start, limit);
    let from: PeerId | undefined;
    for (let message = 0; message < count && !this.closed; message++) {
      const peer = this.senderOf(message);
      if (peer !== from) this.deliver(from);
      from = peer;
      if (peer === undefined || link.onReceive === null) this.counters.foreignSenders++;
      else this.take(message);
      this.incoming.prepareToReceive(message);
    }
    this.deliver(from);
    return count;
  }

  private senderOf(message: number): PeerId | undefined {
    const key = this.incoming.senderKey(message);
    if (key !== this.lastKey) {
      this.lastPeer = this.senders.get(key) ?? this.findSender(message, key);
      this.lastKey = key;
    }
    return this.lastPeer;
  }

  private findSender(message: number, key: number): PeerId | undefined {
    const { address, port } = this.incoming.sender(message);
    const peer = this.options.peers.senderOf(address, port);
    if (peer !== undefined && this.senders.size < MAX_KNOWN_SENDERS) this.senders.set(key, peer);
    return peer;
  }

  private deliver(peer: PeerId | undefined): void {
    if (this.received.length === 0) return;
    const { link } = this.options;
    if (peer !== undefined && link.onReceive !== null) link.onReceive(peer, this.received);
    clearArray(this.received);
  }

  /** Pages of an area that no datagram reached cost no memory. */
  private addAreas(memoryStart: number): void {
    for (let message = 0; message < RECEIVE_MESSAGES; message++) {
      const area = this.memory.allocate(MAX_DATAGRAM_BYTES);
      if (area === undefined) return;
      this.areas.push(area);
      this.incoming.setParts(message, message, 1);
      this.incoming.setPart(message, memoryStart + area.offset, MAX_DATAGRAM_BYTES);
      this.incoming.prepareToReceive(message);
    }
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
