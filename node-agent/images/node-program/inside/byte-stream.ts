/** One connection of the pod behind a handle of Node's: bytes, shutdown and errors as libuv tells them. */
import type { PodTcpSocket, SocketAddress } from '../../../../shared/podnet/pod-network.ts';
import { socketErrorCode } from '../../../../shared/podnet/socket-error.ts';
import { errorNumber, errorNumberOf } from './bindings.ts';
import { inOwnTurn } from './own-turn.ts';

/** Told of what arrives: bytes, then 0 for the peer's FIN or the number of an error. */
export interface ByteSink {
  bytes(chunk: Uint8Array): void;
  end(status: number): void;
}

export class ByteStream {
  sink: ByteSink | undefined;
  private readonly socket: PodTcpSocket;
  private reading = false;
  private ended = false;

  constructor(socket: PodTcpSocket) {
    this.socket = socket;
    socket.pause();
    // Each in a turn of its own: what a program throws is its own matter, and frames behind it arrive all the same.
    socket.on('data', (chunk: Uint8Array) => inOwnTurn(() => this.sink?.bytes(chunk)));
    socket.on('end', () => this.over(0));
    socket.on('error', (error) => this.over(errorNumberOf(error)));
    // It may be over before anybody could listen.
    if (socket.errored !== null) this.over(errorNumberOf(socket.errored));
    else if (socket.readableEnded || socket.destroyed) this.over(0);
  }

  readStart(): void {
    if (this.reading) return;
    this.reading = true;
    this.socket.resume();
  }

  readStop(): void {
    this.reading = false;
    this.socket.pause();
  }

  /** `done` is called later, with 0 or an error's number. */
  write(chunks: readonly Uint8Array[], done: (status: number) => void): void {
    const [first] = chunks;
    const bytes = chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks);
    this.socket.write(bytes, (error) => {
      // Whoever reads hears of a reset there, as the machine's sockets tell it; what was to be written is called off by that.
      const isTold = this.reading && socketErrorCode(error) === 'ECONNRESET';
      if (isTold) this.over(errorNumberOf(error));
      inOwnTurn(done, isTold ? errorNumber('ECANCELED') : statusOf(error));
    });
  }

  shutdown(done: (status: number) => void): void {
    // A peer that is gone has heard all that it ever will.
    if (this.socket.destroyed || this.socket.writableEnded) inOwnTurn(done, errorNumber('ENOTCONN'));
    else this.socket.end(() => inOwnTurn(done, 0));
  }

  close(): void {
    this.sink = undefined;
    this.socket.destroy();
  }

  reset(): void {
    this.sink = undefined;
    this.socket.resetAndDestroy();
  }

  setNoDelay(on: boolean): void {
    this.socket.setNoDelay(on);
  }

  setKeepAlive(on: boolean, initialDelayMs: number): void {
    this.socket.setKeepAlive(on, initialDelayMs);
  }

  get local(): SocketAddress {
    return { address: this.socket.localAddress, port: this.socket.localPort };
  }

  get remote(): SocketAddress {
    return { address: this.socket.remoteAddress, port: this.socket.remotePort };
  }

  private over(status: number): void {
    if (this.ended) return;
    this.ended = true;
    inOwnTurn(() => this.sink?.end(status));
  }
}

function statusOf(error: Error | null | undefined): number {
  return error === null || error === undefined ? 0 : errorNumberOf(error);
}
