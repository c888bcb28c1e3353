/**
 * A TCP connection of a pod as a Duplex with `net.Socket`'s shape; what moves the bytes is a `TcpTransport`
 * (the stack in this process, or the framed protocol to the process that has the stack).
 */
import { Duplex } from 'node:stream';
import { familyName, type IpFamilyName } from './ip-family-name.ts';
import type { PodTcpSocket } from './pod-network.ts';
import { SocketError, type SocketErrorCode } from './socket-error.ts';

/** What a connection's owner may ask of whatever carries the bytes. None of these calls back synchronously. */
export interface TcpTransport {
  /** Takes as many bytes as there is room for and says how many; `deliverWritable` follows when there is room again. */
  write(data: Uint8Array): number;
  /** FIN after the bytes taken so far. */
  end(): void;
  /** Both directions, as close(2): FIN, or RST when received bytes were never read. */
  close(): void;
  /** RST. */
  reset(): void;
  /** Stops deliveries; the receive window fills up and the sender waits. */
  pause(): void;
  resume(): void;
  setNoDelay(on: boolean): void;
  setKeepAlive(on: boolean, idleMs: number): void;
}

export interface TcpEndpoints {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

export class TcpSocket extends Duplex implements PodTcpSocket {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly remoteFamily: IpFamilyName;
  readonly localFamily: IpFamilyName;
  readonly connecting = false;
  readonly pending = false;
  bytesRead = 0;
  timeout = 0;
  private readonly transport: TcpTransport;
  /** Bytes of the writes that are done. */
  private doneBytes = 0;
  private chunkBytes = 0;
  private rest: Uint8Array | null = null;
  private pendingDone: ((error?: Error | null) => void) | null = null;
  private paused = false;
  private resetWanted = false;
  private transportClosed = false;
  private timer: NodeJS.Timeout | null = null;

  constructor(transport: TcpTransport, endpoints: TcpEndpoints, options: { readonly allowHalfOpen?: boolean } = {}) {
    super({ allowHalfOpen: options.allowHalfOpen ?? false });
    this.transport = transport;
    this.localAddress = endpoints.localAddress;
    this.localPort = endpoints.localPort;
    this.remoteAddress = endpoints.remoteAddress;
    this.remotePort = endpoints.remotePort;
    this.localFamily = familyName(endpoints.localAddress);
    this.remoteFamily = familyName(endpoints.remoteAddress);
    // A reset that nobody listens for is no bug that should end the process; `close` tells of it too.
    this.on('error', () => this.destroy());
  }

  get bytesWritten(): number {
    return this.doneBytes + this.writableLength;
  }

  get readyState(): 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.readable && this.writable) return 'open';
    if (this.readable) return 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }

  /** Bytes arrived; the socket owns them now. */
  deliver(bytes: Uint8Array): void {
    if (this.destroyed) return;
    this.bytesRead += bytes.length;
    this.refreshTimeout();
    if (!this.push(bytes) && !this.paused) {
      this.paused = true;
      this.transport.pause();
    }
  }

  /** The peer's FIN arrived. */
  deliverEnd(): void {
    if (this.destroyed) return;
    this.push(null);
    if (this.readableLength === 0) this.read(0);
  }

  /** The connection is gone: with an error, or after both FINs. */
  deliverClosed(code: SocketErrorCode | null): void {
    this.transportClosed = true;
    if (this.destroyed) return;
    if (code !== null) this.destroy(new SocketError(code, this.pendingDone === null ? 'read' : 'write'));
    else if (!this.readableEnded) this.deliverEnd();
  }

  /** There is room for more bytes. */
  deliverWritable(): void {
    if (this.rest !== null) this.flush();
  }

  override _read(): void {
    if (!this.paused) return;
    this.paused = false;
    this.transport.resume();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.transportClosed) {
      done(new SocketError('EPIPE', 'write'));
      return;
    }
    this.rest = chunk;
    this.chunkBytes = chunk.length;
    this.pendingDone = done;
    this.flush();
  }

  override _writev(
    chunks: { chunk: Uint8Array; encoding: BufferEncoding }[],
    done: (error?: Error | null) => void,
  ): void {
    // Corked writes (a header and its body) leave as one segment.
    this._write(Buffer.concat(chunks.map((entry) => entry.chunk)), 'utf8', done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (!this.transportClosed) this.transport.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    if (!this.transportClosed) {
      if (this.resetWanted) this.transport.reset();
      else this.transport.close();
    }
    const pendingDone = this.pendingDone;
    this.rest = null;
    this.pendingDone = null;
    done(error);
    pendingDone?.(error ?? new SocketError('ECANCELED', 'write'));
  }

  /** `close` carries `hadError`, as `net.Socket`'s does. */
  override emit(event: string | symbol, ...values: unknown[]): boolean {
    if (event === 'close' && values.length === 0) return super.emit('close', this.errored !== null);
    return super.emit(event, ...values);
  }

  setNoDelay(on = true): this {
    if (!this.transportClosed && !this.destroyed) this.transport.setNoDelay(on);
    return this;
  }

  setKeepAlive(on = false, initialDelayMs = 0): this {
    if (!this.transportClosed && !this.destroyed) this.transport.setKeepAlive(on, initialDelayMs);
    return this;
  }

  setTimeout(timeoutMs: number, callback?: () => void): this {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.timeout = timeoutMs;
    if (timeoutMs > 0 && !this.destroyed) {
      this.timer = setTimeout(() => this.emit('timeout'), timeoutMs);
      this.timer.unref();
      if (callback !== undefined) this.once('timeout', callback);
    } else if (callback !== undefined) {
      this.removeListener('timeout', callback);
    }
    return this;
  }

  resetAndDestroy(): this {
    this.resetWanted = true;
    this.destroy();
    return this;
  }

  /** Ends the writing side and destroys the socket once all is written; node:http asks for it. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  address(): { address: string; port: number; family: string } {
    return { address: this.localAddress, port: this.localPort, family: this.localFamily };
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  private flush(): void {
    const { rest } = this;
    if (rest === null) return;
    const accepted = this.transport.write(rest);
    if (accepted > 0) this.refreshTimeout();
    if (accepted < rest.length) {
      this.rest = rest.subarray(accepted);
      return;
    }
    const done = this.pendingDone;
    this.doneBytes += this.chunkBytes;
    this.rest = null;
    this.pendingDone = null;
    done?.();
  }

  private refreshTimeout(): void {
    this.timer?.refresh();
  }
}
