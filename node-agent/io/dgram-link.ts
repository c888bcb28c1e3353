/**
 * Tier 0 of the link between nodes: one plain `dgram` socket. It sends at once (`sendmsg` within the call, no DNS lookup),
 * and copies each datagram that arrives once, into packet memory.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import type { LinkEndpoint, PeerId, UnderlayLink } from '../datapath/link.ts';
import type { EventLoop } from './event-loop.ts';
import { type LinkCounters, zeroLinkCounters } from './link-counters.ts';
import { PeerEndpoints } from './peer-endpoints.ts';
import {
  bindChoices,
  LinkBindError,
  SOCKET_BUFFER_BYTES,
  type SocketLink,
  type SocketLinkOptions,
} from './socket-link.ts';

/** Datagrams the kernel has not taken yet; above it the link drops. */
const MAX_IN_FLIGHT = 2048;

export class DgramLink implements SocketLink {
  readonly local: LinkEndpoint;
  readonly counters: LinkCounters = zeroLinkCounters();
  /** It sends one by one in any case. */
  batches = false;
  onReceive: UnderlayLink['onReceive'] = null;
  private readonly socket: Socket;
  private readonly memory: PacketMemory;
  private readonly loop: EventLoop;
  private readonly peers = new PeerEndpoints();
  /** Datagrams handed to the kernel whose callback is to come, in order: until then their bytes must stay. */
  private readonly inFlight: Packet[] = [];
  private readonly received: Packet[] = [];
  private closed = false;
  private readonly onSent = (error: Error | null) => this.sent(error);

  private constructor(socket: Socket, options: SocketLinkOptions) {
    this.socket = socket;
    this.memory = options.memory;
    this.loop = options.loop;
    const { address, port } = socket.address();
    this.local = { address, port };
    socket.on('message', (message, remote) => this.receive(message, remote));
    socket.on('error', () => {
      this.counters.sendErrors++;
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
  }

  send(peer: PeerId, datagrams: readonly Packet[]): void {
    const endpoint = this.peers.endpointOf(peer);
    for (const datagram of datagrams) {
      if (endpoint === undefined || this.closed || this.inFlight.length >= MAX_IN_FLIGHT) {
        this.counters.sendOverflows++;
        this.memory.free(datagram);
        continue;
      }
      this.inFlight.push(datagram);
      const { bytes } = this.memory;
      this.socket.send(bytes, datagram.offset, datagram.length, endpoint.port, endpoint.address, this.onSent);
    }
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.socket.close();
    for (const datagram of this.inFlight.splice(0)) this.memory.free(datagram);
  }

  private sent(error: Error | null): void {
    const datagram = this.inFlight.shift();
    if (datagram === undefined) return; // closed meanwhile
    this.memory.free(datagram);
    if (error === null) this.counters.datagramsSent++;
    else this.counters.sendErrors++;
  }

  private receive(message: Uint8Array, remote: RemoteInfo): void {
    const peer = this.peers.senderOf(remote.address, remote.port);
    if (peer === undefined || this.onReceive === null) {
      this.counters.foreignSenders++;
      return;
    }
    const packet = this.memory.allocate(message.length);
    if (packet === undefined) {
      this.counters.receiveDrops++;
      return;
    }
    this.memory.bytes.set(message, packet.offset);
    this.counters.datagramsReceived++;
    this.received[0] = packet;
    this.loop.enter();
    try {
      this.onReceive(peer, this.received);
    } finally {
      this.loop.leave();
    }
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
