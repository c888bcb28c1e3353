/**
 * Tier 0 of the link between nodes: one plain `dgram` socket. It sends at once (`sendmsg` within the call, no DNS lookup),
 * and copies each datagram that arrives once, into packet memory.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv4 } from 'node:net';
import type { Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import type { LinkEndpoint, PeerId, UnderlayLink } from '../datapath/link.ts';
import type { EventLoop } from './event-loop.ts';
import { type LinkCounters, zeroLinkCounters } from './link-counters.ts';
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
  onReceive: UnderlayLink['onReceive'] = null;
  private readonly socket: Socket;
  private readonly memory: PacketMemory;
  private readonly loop: EventLoop;
  private readonly peers: (LinkEndpoint | undefined)[] = [];
  /** By address, then port. */
  private readonly peersByEndpoint = new Map<string, Map<number, PeerId>>();
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
    if (!isIPv4(endpoint.address)) {
      throw new Error(
        `peer endpoint ${endpoint.address}:${endpoint.port}: expected an IPv4 address, look names up first`,
      );
    }
    const peer = this.peers.push(endpoint) - 1;
    let ports = this.peersByEndpoint.get(endpoint.address);
    if (ports === undefined) {
      ports = new Map();
      this.peersByEndpoint.set(endpoint.address, ports);
    }
    ports.set(endpoint.port, peer);
    return peer;
  }

  removePeer(peer: PeerId): void {
    const endpoint = this.peers[peer];
    if (endpoint === undefined) return;
    this.peers[peer] = undefined;
    const ports = this.peersByEndpoint.get(endpoint.address);
    if (ports?.get(endpoint.port) === peer) ports.delete(endpoint.port);
    if (ports?.size === 0) this.peersByEndpoint.delete(endpoint.address);
  }

  send(peer: PeerId, datagrams: readonly Packet[]): void {
    const endpoint = this.peers[peer];
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
    const peer = this.peersByEndpoint.get(remote.address)?.get(remote.port);
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
