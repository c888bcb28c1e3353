/**
 * Tier 0 of the link between nodes: plain `dgram` sockets, everywhere. They send at once (`sendmsg` within the call, no DNS
 * lookup) a datagram a call, and the link cuts super-segments itself.
 *
 *   send      -> SendQueue -> staging -> send of the peer's socket (connected-sockets.ts), or of the node's
 *   'message' of any -> MessageReceiver -> onReceive
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { SegmentCutter } from '../../shared/netstack/super-segment.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import { HEADROOM_BYTES, LARGE_SLOT_BYTES, type Packet, type PacketMemory } from '../../shared/wire/packet-memory.ts';
import * as vxlan from '../../shared/wire/vxlan.ts';
import type { LinkEndpoint, PeerId, UnderlayLink } from '../datapath/link.ts';
import { ConnectedSockets } from './connected-sockets.ts';
import { type LinkCounters, zeroLinkCounters } from './link-counters.ts';
import { MessageReceiver } from './message-receiver.ts';
import type { Cursor } from './outgoing-messages.ts';
import { PeerEndpoints } from './peer-endpoints.ts';
import { SendQueue, turnBytesOf } from './send-queue.ts';
import {
  bindChoices,
  LinkBindError,
  literalLookup,
  SOCKET_BUFFER_BYTES,
  type SocketLink,
  type SocketLinkOptions,
} from './socket-link.ts';
import { KernelDrops, socketsAt } from './udp-socket-table.ts';

/** What stands before the IP header of a datagram. */
const LEAD_BYTES = vxlan.HEADER_BYTES + ethernet.HEADER_BYTES;
const STAGING_BYTES = LARGE_SLOT_BYTES - HEADROOM_BYTES;
/** Longer ones are rare: about each of them it is asked how sending went, and no view is kept of them. */
const USUAL_BYTES = 2048;
/**
 * Node tells how sending went in a tick of its own, which costs half as much as the system call. So after one that went well
 * it is not asked about so many, and about each after a failure: one that lasts is counted, a lone one perhaps not.
 */
const UNASKED = 15;

export class DgramLink implements SocketLink {
  readonly local: LinkEndpoint;
  readonly counters: LinkCounters = zeroLinkCounters();
  readonly kernelDrops: KernelDrops;
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
  /** By length: the beginning of the staging area. */
  private readonly staged: (Uint8Array | undefined)[] = [];
  private readonly connected: ConnectedSockets;
  /** So many more are sent without asking how that goes. */
  private unasked = 0;
  /** Of which libuv keeps a datagram. */
  private blocked: Socket | null = null;
  private readonly onSent = (error: Error | null) => {
    if (error === null) this.counters.datagramsSent++;
    else this.failed();
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
    this.kernelDrops = new KernelDrops(this.local);
    this.receiver = new MessageReceiver({ link: this, memory, loop, counters, peers, joined: false });
    this.queue = new SendQueue({
      memory,
      engine: loop.engine,
      counters,
      turnBytes: turnBytesOf(socket.getRecvBufferSize()),
      transmit: (peer, packets, cursor, limitBytes) => this.transmit(peer, packets, cursor, limitBytes),
    });
    const onMessage = (message: Uint8Array, remote: RemoteInfo): void => this.receiver.receive(message, remote);
    const onError = (): void => this.failed();
    socket.on('message', onMessage);
    socket.on('error', onError);
    this.connected = new ConnectedSockets({
      local: this.local,
      onMessage,
      onError,
      willClose: (remote) => this.kernelDrops.willClose(remote),
    });
  }

  /**
   * Binds the socket where it can (`bindChoices`); `local` says what it became. Throws LinkBindError.
   */
  static async open(options: SocketLinkOptions): Promise<DgramLink> {
    const { bind } = options;
    let failure = new Error('not tried');
    for (const choice of bindChoices(bind)) {
      try {
        const socket = await boundSocket(choice);
        socket.setRecvBufferSize(SOCKET_BUFFER_BYTES);
        socket.setSendBufferSize(SOCKET_BUFFER_BYTES);
        return new DgramLink(socket, options);
      } catch (error) {
        failure = error instanceof Error ? error : new Error(String(error));
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
    // What libuv kept in it is gone: nobody else is to wait for that.
    if (this.connected.forget(peer) === this.blocked) this.blocked = null;
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
    this.connected.close();
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
    const connected = this.connected.of(peer, endpoint);
    const socket = connected ?? this.socket;
    // The staging area is one for all.
    if (this.blocked !== null && this.blocked.getSendQueueCount() > 0) return false;
    this.blocked = null;
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
      const callback = this.asks(length) ? this.onSent : undefined;
      if (connected !== null) connected.send(this.stagedBytes(length), callback);
      else this.socket.send(this.stagedBytes(length), endpoint.port, endpoint.address, callback);
      // libuv keeps it until the kernel has room; nothing more goes until then.
      if (socket.getSendQueueCount() > 0) {
        this.blocked = socket;
        return false;
      }
    }
    return true;
  }

  /** Whether to ask how sending goes; what is not asked about is taken to have gone. */
  private asks(length: number): boolean {
    if (length > USUAL_BYTES) return true;
    if (this.unasked === 0) {
      this.unasked = UNASKED;
      return true;
    }
    this.unasked--;
    this.counters.datagramsSent++;
    return false;
  }

  private failed(): void {
    this.counters.sendErrors++;
    this.unasked = 0;
  }

  private stagedBytes(length: number): Uint8Array {
    const known = this.staged[length];
    if (known !== undefined) return known;
    const bytes = this.memory.lend(this.staging.offset, length);
    if (length <= USUAL_BYTES) this.staged[length] = bytes;
    return bytes;
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

/**
 * Alone at its address and port, so that two nodes never share one, and then so that sockets of single peers may join it;
 * of two that come between these steps, whoever sees the other one goes. Rejects where it cannot be bound.
 */
async function boundSocket(where: LinkEndpoint): Promise<Socket> {
  const alone = await bound(where, false);
  if (process.platform !== 'linux') return alone;
  const { address, port } = alone.address();
  alone.close();
  const joinable = await bound({ address, port }, true);
  if (socketsAt({ address, port }) <= 1) return joinable;
  joinable.close();
  throw new Error('another node took it at the same moment');
}

async function bound({ address, port }: LinkEndpoint, reusePort: boolean): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', lookup: literalLookup, reusePort });
  try {
    const listening = once(socket, 'listening'); // first: with our lookup the event may come within `bind`
    socket.bind({ address, port, exclusive: true });
    await listening;
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}
