/**
 * Tier 1 of the link between nodes: a socket of our own, which sends in batches that the kernel cuts (UDP GSO), handed over
 * to Node's `dgram`, which says what arrives, joined by the kernel (UDP GRO). It is for where libuv cannot be called: a
 * worker thread, a Node with a libuv of its own inside.
 *
 *   send      -> NativeSender -> sendmmsg
 *   'message' -> MessageReceiver -> onReceive, and of what waits behind a full one: NativeReceiver: recvmmsg -> onReceive
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { NativeSockets } from '../../shared/native/native-socket.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';
import type { LinkEndpoint, PeerId, UnderlayLink } from '../datapath/link.ts';
import type { EventLoop } from './event-loop.ts';
import { type LinkCounters, zeroLinkCounters } from './link-counters.ts';
import { MessageReceiver } from './message-receiver.ts';
import { NativeReceiver } from './native-receiver.ts';
import { NativeSender } from './native-sender.ts';
import { PeerEndpoints } from './peer-endpoints.ts';
import { openNativeSocket, type SocketLink, type SocketLinkOptions } from './socket-link.ts';

/**
 * A message of this size is seldom the only one. Those behind it are taken by system calls of our own: Node allocates 64 kB
 * for each.
 */
const BURST_BYTES = 1200;

export interface GsoLinkOptions extends SocketLinkOptions {
  readonly sockets: NativeSockets;
}

export class GsoLink implements SocketLink {
  readonly local: LinkEndpoint;
  readonly counters: LinkCounters = zeroLinkCounters();
  onReceive: UnderlayLink['onReceive'] = null;
  private readonly loop: EventLoop;
  private readonly socket: Socket;
  private readonly peers = new PeerEndpoints();
  private readonly sender: NativeSender;
  private readonly receiver: MessageReceiver;
  private readonly rest: NativeReceiver;
  private closed = false;

  /** Throws LinkBindError. */
  constructor(options: GsoLinkOptions) {
    const { sockets, memory, loop } = options;
    const { counters, peers } = this;
    this.loop = loop;
    this.receiver = new MessageReceiver({ link: this, memory, loop, counters, peers, joined: true });
    const socket = openNativeSocket(sockets, options.bind);
    this.local = socket.local;
    const { addressOf } = sockets;
    const sending = { socket, addressOf, memory, engine: loop.engine, counters, peers };
    this.sender = new NativeSender(sending, options.batches !== false);
    try {
      this.rest = new NativeReceiver({ link: this, socket, addressOf, memory, counters, peers });
    } catch (error) {
      this.sender.close();
      this.receiver.close();
      socket.close();
      throw error;
    }
    this.socket = createSocket('udp4');
    this.socket.on('message', (message, remote) => this.receive(message, remote));
    this.socket.on('error', () => {
      counters.sendErrors++;
    });
    // From here on the descriptor is Node's, and closed with its socket.
    this.socket.bind({ fd: socket.descriptor, exclusive: true });
  }

  get batches(): boolean {
    return this.sender.batches;
  }

  set batches(on: boolean) {
    this.sender.batches = on;
  }

  takesSuperSegments(): boolean {
    return this.sender.takesSuperSegments;
  }

  addPeer(endpoint: LinkEndpoint): PeerId {
    this.rest.forgetSenders();
    return this.peers.add(endpoint);
  }

  removePeer(peer: PeerId): void {
    this.rest.forgetSenders();
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
    this.receiver.close();
    this.rest.close();
    this.socket.close();
  }

  private receive(message: Uint8Array, remote: RemoteInfo): void {
    this.loop.enter();
    try {
      this.receiver.receive(message, remote);
      if (message.length >= BURST_BYTES) this.rest.receive();
    } finally {
      this.loop.leave();
    }
  }
}
