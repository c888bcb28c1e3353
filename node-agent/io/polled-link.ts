/**
 * Tier 2 of the link between nodes: a socket of our own, polled through libuv. The kernel reads datagrams straight from
 * packet memory and writes them there; what one turn sends to a peer goes out in one system call, and what is of one size in
 * it as one batch that the kernel cuts (UDP GSO) and the other end takes whole (UDP GRO).
 *
 *   send     -> NativeSender -> sendmmsg
 *   recvmmsg -> receive areas -> a packet each, or merged segments (SegmentMerger) -> onReceive
 */
import { clearArray } from '../../shared/wire/clear-array.ts';
import type { Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import type { LinkEndpoint, PeerId, UnderlayLink } from '../datapath/link.ts';
import { SegmentMerger } from '../datapath/segment-merger.ts';
import { type LinkCounters, zeroLinkCounters } from './link-counters.ts';
import { MessageVectors } from './message-vectors.ts';
import { NativeSender } from './native-sender.ts';
import { type NativeSocket, type NativeSockets, openNativeSocket } from './native-socket.ts';
import { PeerEndpoints } from './peer-endpoints.ts';
import type { SocketLink, SocketLinkOptions } from './socket-link.ts';

const RECEIVE_MESSAGES = 8;
/** Between two of them timers and other sockets have their turn. */
const RECEIVE_CALLS_A_TURN = 4;
const MAX_DATAGRAM_BYTES = 65_536;

/** Endpoints that senders were looked up for; a kernel's VXLAN device has one for each flow. */
const MAX_KNOWN_SENDERS = 65_536;

export interface PolledLinkOptions extends SocketLinkOptions {
  readonly sockets: NativeSockets;
}

export class PolledLink implements SocketLink {
  readonly counters: LinkCounters = zeroLinkCounters();
  onReceive: UnderlayLink['onReceive'] = null;
  private readonly options: PolledLinkOptions;
  private readonly memory: PacketMemory;
  private readonly socket: NativeSocket;
  private readonly memoryStart: number;
  private readonly peers = new PeerEndpoints();
  /** By `senderKey`: what `peers` says of a sender, until they change. */
  private readonly senders = new Map<number, PeerId>();
  private readonly incoming: MessageVectors;
  private readonly sender: NativeSender;
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
    this.memoryStart = sockets.addressOf(memory.bytes);
    this.merger = new SegmentMerger(memory);
    this.incoming = new MessageVectors(RECEIVE_MESSAGES, RECEIVE_MESSAGES, sockets.addressOf);
    this.socket = openNativeSocket(sockets, options.bind);
    this.addReceiveAreas();
    const { counters, peers, socket } = this;
    const { addressOf } = sockets;
    const sending = { socket, addressOf, memory, engine: loop.engine, counters, peers };
    this.sender = new NativeSender(sending, options.batches !== false);
    try {
      socket.poll(() => this.readable());
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get batches(): boolean {
    return this.sender.batches;
  }

  set batches(on: boolean) {
    this.sender.batches = on;
  }

  get local(): LinkEndpoint {
    return this.socket.local;
  }

  takesSuperSegments(): boolean {
    return this.sender.takesSuperSegments;
  }

  addPeer(endpoint: LinkEndpoint): PeerId {
    this.senders.clear();
    return this.peers.add(endpoint);
  }

  removePeer(peer: PeerId): void {
    this.senders.clear();
    this.peers.remove(peer);
    this.sender.forget(peer);
  }

  send(peer: PeerId, datagrams: readonly Packet[]): void {
    this.sender.send(peer, datagrams);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.sender.close();
    this.socket.close();
    for (const area of this.areas.splice(0)) this.memory.free(area);
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
    clearArray(this.received);
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
