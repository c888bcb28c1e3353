/**
 * Tier 2 of the link between nodes: a socket of our own, polled through libuv. The kernel reads datagrams straight from
 * packet memory and writes them there; what one turn sends to a peer goes out in one system call, and what is of one size in
 * it as one batch that the kernel cuts (UDP GSO) and the other end takes whole (UDP GRO).
 *
 *   send     -> NativeSender -> sendmmsg
 *   readable -> NativeReceiver: recvmmsg -> onReceive
 */
import type { EventLoop } from './event-loop.ts';
import { NativeLink, type NativeLinkOptions } from './native-link.ts';

export class PolledLink extends NativeLink {
  private readonly loop: EventLoop;

  /** Throws LinkBindError. */
  constructor(options: NativeLinkOptions) {
    super(options);
    this.loop = options.loop;
    try {
      this.takeAreas(options);
      this.native.poll(() => this.readable());
    } catch (error) {
      this.abandon();
      throw error;
    }
  }

  protected stopReceiving(): void {
    this.native.close();
  }

  /** Called by libuv, which cannot take an error: one is raised where uncaught ones are seen. */
  private readable(): void {
    if (this.isClosed) return;
    const { loop } = this;
    loop.enter();
    try {
      this.receiveAgain();
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    } finally {
      loop.leave();
    }
  }
}
