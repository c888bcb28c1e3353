/**
 * Tier 2 of the link between nodes: a socket of our own, polled through libuv. The kernel reads datagrams straight from
 * packet memory and writes them there; what one turn sends to a peer goes out in one system call, and what is of one size in
 * it as one batch that the kernel cuts (UDP GSO) and the other end takes whole (UDP GRO).
 *
 *   send     -> NativeSender -> sendmmsg
 *   readable -> NativeReceiver: recvmmsg -> onReceive
 */

import type { NativeSocket, NativeSockets } from '../../shared/native/native-socket.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';
import type { LinkEndpoint, PeerId, UnderlayLink } from '../datapath/link.ts';
import { type LinkCounters, zeroLinkCounters } from './link-counters.ts';
import { NativeReceiver } from './native-receiver.ts';
import { NativeSender } from './native-sender.ts';
import { PeerEndpoints } from './peer-endpoints.ts';
import { openNativeSocket, type SocketLink, type SocketLinkOptions } from './socket-link.ts';

export interface PolledLinkOptions extends SocketLinkOptions {
  readonly sockets: NativeSockets;
}

export class PolledLink implements SocketLink {
  readonly counters: LinkCounters = zeroLinkCounters();
  onReceive: UnderlayLink['onReceive'] = null;
  private readonly options: PolledLinkOptions;
  private readonly socket: NativeSocket;
  private readonly peers = new PeerEndpoints();
  private readonly sender: NativeSender;
  private readonly receiver: NativeReceiver;
  private closed = false;

  /** Binds where it can (`bindChoices`); `local` says what it became. Throws LinkBindError. */
  constructor(options: PolledLinkOptions) {
    const { sockets, memory, loop } = options;
    this.options = options;
    const { addressOf } = sockets;
    const socket = openNativeSocket(sockets, options.bind);
    const { counters, peers } = this;
    this.socket = socket;
    const sending = { socket, addressOf, memory, engine: loop.engine, counters, peers };
    this.sender = new NativeSender(sending, options.batches !== false);
    try {
      this.receiver = new NativeReceiver({ link: this, socket, addressOf, memory, counters, peers });
    } catch (error) {
      this.sender.close();
      socket.close();
      throw error;
    }
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
    this.receiver.forgetSenders();
    return this.peers.add(endpoint);
  }

  removePeer(peer: PeerId): void {
    this.receiver.forgetSenders();
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
    this.receiver.close();
  }

  /** Called by libuv, which cannot take an error: one is raised where uncaught ones are seen. */
  private readable(): void {
    if (this.closed) return;
    const { loop } = this.options;
    loop.enter();
    try {
      this.receiver.receive();
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    } finally {
      loop.leave();
    }
  }
}
