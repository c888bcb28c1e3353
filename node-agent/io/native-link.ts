/** What links over a socket of our own have in common: how they send, what they know of peers, and packet memory to receive into. */
import type { NativeSocket, NativeSockets } from '../../shared/native/native-socket.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';
import type { LinkEndpoint, PeerId, UnderlayLink } from '../datapath/link.ts';
import { type LinkCounters, zeroLinkCounters } from './link-counters.ts';
import { NativeReceiver } from './native-receiver.ts';
import { NativeSender } from './native-sender.ts';
import { PeerEndpoints } from './peer-endpoints.ts';
import { openNativeSocket, type SocketLink, type SocketLinkOptions } from './socket-link.ts';
import { KernelDrops } from './udp-socket-table.ts';

export interface NativeLinkOptions extends SocketLinkOptions {
  readonly sockets: NativeSockets;
}

export abstract class NativeLink implements SocketLink {
  readonly local: LinkEndpoint;
  readonly counters: LinkCounters = zeroLinkCounters();
  readonly kernelDrops: KernelDrops;
  onReceive: UnderlayLink['onReceive'] = null;
  protected readonly native: NativeSocket;
  protected readonly peers = new PeerEndpoints();
  private readonly sender: NativeSender;
  private waiting: NativeReceiver | null = null;
  private closed = false;

  /** Binds where it can (`bindChoices`); `local` says what it became. Throws LinkBindError. */
  constructor({ sockets, memory, loop, bind, batches }: NativeLinkOptions) {
    const { counters, peers } = this;
    const { addressOf } = sockets;
    const socket = openNativeSocket(sockets, bind);
    this.native = socket;
    this.local = socket.local;
    this.kernelDrops = new KernelDrops(socket.local);
    this.sender = new NativeSender(
      { socket, addressOf, memory, engine: loop.engine, counters, peers },
      batches !== false,
    );
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
    this.waiting?.forgetSenders();
    return this.peers.add(endpoint);
  }

  removePeer(peer: PeerId): void {
    this.waiting?.forgetSenders();
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
    this.stopReceiving();
    this.waiting?.close();
  }

  /** The last step of opening a link. Throws when packet memory has no large slot left. */
  protected takeAreas({ sockets: { addressOf }, memory }: NativeLinkOptions): void {
    const { native: socket, counters, peers } = this;
    this.waiting = new NativeReceiver({ link: this, socket, addressOf, memory, counters, peers });
  }

  /** Within a turn of the engine. */
  protected receiveWaiting(): void {
    this.waiting?.receive();
  }

  /** The same for who is called again while something waits. */
  protected receiveAgain(): void {
    this.waiting?.receiveAgain();
  }

  /** Before anything was received. */
  protected abandon(): void {
    this.closed = true;
    this.sender.close();
    this.waiting?.close();
    this.native.close();
  }

  protected get isClosed(): boolean {
    return this.closed;
  }

  /** Closes the socket too. */
  protected abstract stopReceiving(): void;
}
