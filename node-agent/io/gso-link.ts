/**
 * Tier 1 of the link between nodes: a socket of our own, which sends in batches that the kernel cuts (UDP GSO), handed over
 * to Node's `dgram`, which says what arrives, joined by the kernel (UDP GRO). It is for where libuv cannot be called: a
 * worker thread, a Node with a libuv of its own inside.
 *
 *   send      -> NativeSender -> sendmmsg
 *   'message' -> MessageReceiver -> onReceive, and of what waits behind a full one: NativeReceiver: recvmmsg -> onReceive
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { EventLoop } from './event-loop.ts';
import { MessageReceiver } from './message-receiver.ts';
import { NativeLink, type NativeLinkOptions } from './native-link.ts';

/**
 * A message of this size is seldom the only one. Those behind it are taken by system calls of our own: Node allocates 64 kB
 * for each.
 */
const BURST_BYTES = 1200;

export class GsoLink extends NativeLink {
  private readonly loop: EventLoop;
  private readonly socket: Socket;
  private readonly receiver: MessageReceiver;

  /** Throws LinkBindError. */
  constructor(options: NativeLinkOptions) {
    super(options);
    const { memory, loop } = options;
    const { counters, peers } = this;
    this.loop = loop;
    let receiver: MessageReceiver | undefined;
    try {
      receiver = new MessageReceiver({ link: this, memory, loop, counters, peers, joined: true });
      this.takeAreas(options);
    } catch (error) {
      receiver?.close();
      this.abandon();
      throw error;
    }
    this.receiver = receiver;
    this.socket = createSocket('udp4');
    this.socket.on('message', (message, remote) => this.receive(message, remote));
    this.socket.on('error', () => {
      counters.sendErrors++;
    });
    // From here on the descriptor is Node's, and closed with its socket.
    this.socket.bind({ fd: this.native.descriptor, exclusive: true });
  }

  protected stopReceiving(): void {
    this.receiver.close();
    this.socket.close();
  }

  private receive(message: Uint8Array, remote: RemoteInfo): void {
    this.loop.enter();
    try {
      this.receiver.receive(message, remote);
      if (message.length >= BURST_BYTES) this.receiveWaiting();
    } finally {
      this.loop.leave();
    }
  }
}
