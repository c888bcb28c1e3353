import type { SocketErrorCode } from './socket-error.ts';
import { CREDIT_PORTION_BYTES, encodeUint32, FRAME_KIND, INITIAL_CREDIT_BYTES } from './socket-protocol.ts';
import { type TcpEndpoints, TcpSocket, type TcpTransport } from './tcp-socket.ts';

const DATA_FRAME_BYTES = 64 * 1024;

/** What carries the frames of all channels. */
export interface ChannelLink {
  send(kind: number, channel: number, payload?: Uint8Array): void;
  /** The channel is closed at both ends. */
  forget(channel: number): void;
}

/** A connection's bytes over its channel: ours as far as the server's credit goes, the peer's as far as we gave credit. */
export class ChannelTransport implements TcpTransport {
  readonly socket: TcpSocket;
  private readonly link: ChannelLink;
  private readonly channel: number;
  private credit = INITIAL_CREDIT_BYTES;
  private owed = 0;
  private paused = false;

  constructor(link: ChannelLink, channel: number, endpoints: TcpEndpoints, allowHalfOpen: boolean) {
    this.link = link;
    this.channel = channel;
    this.socket = new TcpSocket(this, endpoints, { allowHalfOpen });
  }

  write(data: Uint8Array): number {
    const accepted = Math.min(data.length, Math.max(0, this.credit));
    for (let start = 0; start < accepted; start += DATA_FRAME_BYTES) {
      this.link.send(FRAME_KIND.data, this.channel, data.subarray(start, Math.min(accepted, start + DATA_FRAME_BYTES)));
    }
    this.credit -= accepted;
    return accepted;
  }

  end(): void {
    this.link.send(FRAME_KIND.end, this.channel);
  }

  close(): void {
    this.link.send(FRAME_KIND.close, this.channel);
  }

  reset(): void {
    this.link.send(FRAME_KIND.reset, this.channel);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.giveBack();
  }

  setNoDelay(on: boolean): void {
    this.link.send(FRAME_KIND.noDelay, this.channel, encodeUint32(on ? 1 : 0));
  }

  setKeepAlive(on: boolean, idleMs: number): void {
    this.link.send(FRAME_KIND.keepAlive, this.channel, encodeUint32(on ? Math.max(1, idleMs) : 0));
  }

  receive(bytes: Uint8Array): void {
    this.owed += bytes.length;
    this.socket.deliver(bytes);
    this.giveBack();
  }

  addCredit(bytes: number): void {
    this.credit += bytes;
    this.socket.deliverWritable();
  }

  closed(code: SocketErrorCode | null): void {
    this.link.forget(this.channel);
    this.socket.deliverClosed(code);
  }

  private giveBack(): void {
    if (this.paused || this.owed < CREDIT_PORTION_BYTES) return;
    this.link.send(FRAME_KIND.credit, this.channel, encodeUint32(this.owed));
    this.owed = 0;
  }
}
