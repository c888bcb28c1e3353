/**
 * Tier 0 of the link between nodes: one plain `dgram` socket, everywhere. It sends at once (`sendmsg` within the call, no DNS
 * lookup) a datagram a call, and cuts super-segments itself.
 *
 *   send      -> SendQueue -> staging -> socket.send
 *   'message' -> MessageReceiver -> onReceive
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { SegmentCutter } from '../../shared/netstack/super-segment.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import { HEADROOM_BYTES, LARGE_SLOT_BYTES, type Packet, type PacketMemory } from '../../shared/wire/packet-memory.ts';
import * as vxlan from '../../shared/wire/vxlan.ts';
import type { LinkEndpoint, PeerId, UnderlayLink } from '../datapath/link.ts';
import { type LinkCounters, zeroLinkCounters } from './link-counters.ts';
import { MessageReceiver } from './message-receiver.ts';
import type { Cursor } from './outgoing-messages.ts';
import { PeerEndpoints } from './peer-endpoints.ts';
import { SendQueue, turnBytesOf } from './send-queue.ts';
import {
  bindChoices,
  LinkBindError,
  SOCKET_BUFFER_BYTES,
  type SocketLink,
  type SocketLinkOptions,
} from './socket-link.ts';

/** What stands before the IP header of a datagram. */
const LEAD_BYTES = vxlan.HEADER_BYTES + ethernet.HEADER_BYTES;
const STAGING_BYTES = LARGE_SLOT_BYTES - HEADROOM_BYTES;

export class DgramLink implements SocketLink {
  readonly local: LinkEndpoint;
  readonly counters: LinkCounters = zeroLinkCounters();
  /** It sends one by one in any case. */
  batches = false;
  onReceive: UnderlayLink['onReceive'] = null;
  private readonly socket: Socket;
  private readonly memory: PacketMemory;
  private readonly peers = new PeerEndpoints();
  private readonly receiver: MessageReceiver;
  private readonly queue: SendQueue;
  private readonly cutter: SegmentCutter;
  /** The datagram that is being sent: a copy, which stays as it is while libuv keeps it for later. */
  private readonly staging: Packet;
  private closed = false;
  private readonly onSent = (error: Error | null) => {
    if (error === null) this.counters.datagramsSent++;
    else this.counters.sendErrors++;
  };

  private constructor(socket: Socket, options: SocketLinkOptions) {
    const { memory, loop } = options;
    const { counters, peers } = this;
    this.socket = socket;
    this.memory = memory;
    this.cutter = new SegmentCutter(memory);
    const staging = memory.allocate(STAGING_BYTES);
    if (staging === undefined) throw new Error('packet memory has no large slot to send from');
    this.staging = staging;
    const { address, port } = socket.address();
    this.local = { address, port };
    this.receiver = new MessageReceiver({ link: this, memory, loop, counters, peers, joined: false });
    this.queue = new SendQueue({
      memory,
      engine: loop.engine,
      counters,
      turnBytes: turnBytesOf(socket.getRecvBufferSize()),
      transmit: (peer, packets, cursor, limitBytes) => this.transmit(peer, packets, cursor, limitBytes),
    });
    socket.on('message', (message, remote) => this.receiver.receive(message, remote));
    socket.on('error', () => {
      counters.sendErrors++;
    });
  }

  /**
   * Binds the socket where it can (`bindChoices`); `local` says what it became. Throws LinkBindError.
   */
  static async open(options: SocketLinkOptions): Promise<DgramLink> {
    const { bind } = options;
    let failure = new Error('not tried');
    for (const choice of bindChoices(bind)) {
      const socket = createSocket({ type: 'udp4', lookup: literalLookup });
      try {
        const listening = once(socket, 'listening'); // first: with our lookup the event may come within `bind`
        socket.bind({ address: choice.address, port: choice.port, exclusive: true });
        await listening;
        socket.setRecvBufferSize(SOCKET_BUFFER_BYTES);
        socket.setSendBufferSize(SOCKET_BUFFER_BYTES);
        return new DgramLink(socket, options);
      } catch (error) {
        failure = error instanceof Error ? error : new Error(String(error));
        socket.close();
      }
    }
    throw new LinkBindError(bind, failure);
  }

  addPeer(endpoint: LinkEndpoint): PeerId {
    return this.peers.add(endpoint);
  }

  removePeer(peer: PeerId): void {
    this.peers.remove(peer);
    this.queue.forget(peer);
  }

  takesSuperSegments(): boolean {
    return true;
  }

  send(peer: PeerId, datagrams: readonly Packet[]): void {
    this.queue.send(peer, datagrams);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.queue.dispose();
    this.receiver.close();
    this.socket.close();
    this.memory.free(this.staging);
  }

  private transmit(peer: PeerId, packets: readonly Packet[], cursor: Cursor, limitBytes: number): boolean {
    const endpoint = this.peers.endpointOf(peer);
    if (endpoint === undefined || this.closed) {
      this.counters.sendOverflows += packets.length - cursor.packet;
      cursor.packet = packets.length;
      cursor.segment = 0;
      return true;
    }
    if (this.socket.getSendQueueCount() > 0) return false;
    let left = limitBytes;
    let cutting = -1;
    while (cursor.packet < packets.length && left > 0) {
      const packet = packets[cursor.packet] as Packet;
      const isWhole = packet.segmentBytes === 0;
      if (!isWhole && cutting !== cursor.packet) this.cutter.read(packet.offset + LEAD_BYTES, packet.segmentBytes);
      cutting = cursor.packet;
      const length = isWhole ? this.stageDatagram(packet) : this.stageSegment(cursor.segment);
      left -= length;
      if (isWhole || ++cursor.segment === this.cutter.count) {
        cursor.packet++;
        cursor.segment = 0;
      }
      this.socket.send(this.memory.bytes, this.staging.offset, length, endpoint.port, endpoint.address, this.onSent);
      // libuv keeps it until the kernel has room; nothing more goes until then.
      if (this.socket.getSendQueueCount() > 0) return false;
    }
    return true;
  }

  private stageDatagram({ offset, length }: Packet): number {
    this.memory.bytes.copyWithin(this.staging.offset, offset, offset + length);
    return length;
  }

  private stageSegment(segment: number): number {
    const { cutter, staging } = this;
    const { bytes } = this.memory;
    const headerBytes = LEAD_BYTES + cutter.headerBytes;
    const payload = cutter.payloadOffset(segment);
    const payloadBytes = cutter.payloadBytes(segment);
    cutter.writeHeaders(segment, staging.offset + LEAD_BYTES, LEAD_BYTES);
    bytes.copyWithin(staging.offset + headerBytes, payload, payload + payloadBytes);
    return headerBytes + payloadBytes;
  }
}

/** Peers are literal addresses: the resolver's thread pool has no part in sending. */
function literalLookup(
  address: string,
  _options: object,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, address, 4);
}
