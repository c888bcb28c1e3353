/**
 * What a program in a pod may do with the pod's network. Two implementations pass one contract suite (`test/contract`):
 * in the node-agent's process straight over the pod's stack, and in a process of its own over a Unix socket.
 * Addresses are text (`10.244.1.5`); ports are numbers. Errors carry Node's codes: ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH,
 * ENETUNREACH, EADDRINUSE, EADDRNOTAVAIL, ECONNRESET, EPIPE, EMSGSIZE.
 */
import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import type { SocketOwner } from './socket-owner.ts';

export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

/**
 * A TCP connection with the shape of `net.Socket`, so that `http`, `tls` and `http2` run on it unchanged.
 * Events beside a Duplex' own: `connect`, `timeout`, `close(hadError)`.
 */
export interface PodTcpSocket extends Duplex {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly remoteFamily: 'IPv4' | 'IPv6';
  readonly localFamily: 'IPv4' | 'IPv6';
  readonly connecting: boolean;
  readonly pending: boolean;
  readonly readyState: 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed';
  /** Idle milliseconds after which `timeout` is emitted; 0 for none. */
  readonly timeout?: number;
  readonly bytesRead: number;
  /** What is queued included. */
  readonly bytesWritten: number;
  setNoDelay(on?: boolean): this;
  setKeepAlive(on?: boolean, initialDelayMs?: number): this;
  setTimeout(timeoutMs: number, callback?: () => void): this;
  /** Closes with RST instead of FIN. */
  resetAndDestroy(): this;
  /** Ends the writing side, and destroys the socket once all is written. */
  destroySoon(): void;
  address(): { readonly address: string; readonly port: number; readonly family: string };
  ref(): this;
  unref(): this;
}

export interface TcpConnectOptions {
  readonly host: string;
  readonly port: number;
  readonly localAddress?: string;
  readonly localPort?: number;
  readonly allowHalfOpen?: boolean;
  /** The program whose socket it is to be; in this process only. */
  readonly owner?: SocketOwner;
}

export interface TcpListenOptions {
  /** By default all of IPv4, and of IPv6 where the pod has it. */
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly backlog?: number;
  /** Of `::`: hears IPv6 alone. */
  readonly ipv6Only?: boolean;
  readonly allowHalfOpen?: boolean;
  /** The program whose socket it is to be; in this process only. */
  readonly owner?: SocketOwner;
}

/**
 * With the shape of `net.Server`. Events: `connection(socket: PodTcpSocket)`, `drop(ends)` of a connection beyond
 * `maxConnections`, `error`, and `close` once it listens no more and its last connection has ended.
 */
export interface PodTcpServer extends EventEmitter {
  maxConnections: number;
  readonly listening: boolean;
  address(): SocketAddress;
  getConnections(callback: (error: Error | null, count: number) => void): this;
  /** Accepts no more; connections live on. Resolves when the port is free; the callback waits for `close`. */
  close(callback?: (error?: Error) => void): Promise<void>;
}

/** Events: `message(data: Uint8Array, from: SocketAddress)`, `error` (of a connected socket: ECONNREFUSED and its kin), `close`. */
export interface PodUdpSocket extends EventEmitter {
  address(): SocketAddress;
  /** Sends one datagram; rejects with EMSGSIZE, ENETUNREACH, ... when it cannot leave the stack. */
  send(data: Uint8Array, port: number, address: string): Promise<void>;
  close(): void;
}

export interface PingReply {
  readonly sequence: number;
  readonly bytes: number;
  readonly ttl: number;
  readonly rttMs: number;
}

export type PingOutcome =
  | { readonly kind: 'reply'; readonly from: string; readonly reply: PingReply }
  | {
      readonly kind: 'unreachable';
      readonly from: string;
      readonly code: number;
      readonly mtuBytes?: number;
      readonly ttl?: number;
    }
  /** `ttl`: with which the error came; of probes `via` UDP or TCP. */
  | { readonly kind: 'time-exceeded'; readonly from: string; readonly ttl?: number }
  | { readonly kind: 'timeout' };

export interface PingOptions {
  readonly address: string;
  readonly payloadBytes?: number;
  readonly ttl?: number;
  readonly dontFragment?: boolean;
  /** An echo request by default; else a datagram or a SYN to `port`, of which the first answer is heard. */
  readonly via?: 'udp' | 'tcp';
  readonly port?: number;
  readonly sequence?: number;
  /** The same for all requests of one `ping`; a new one for each call by default. */
  readonly identifier?: number;
  readonly timeoutMs: number;
}

export interface InterfaceAddress {
  readonly device: string;
  readonly address: string;
  readonly prefixLength: number;
}

export interface UdpBindOptions {
  /** 0, the default, takes an ephemeral port. */
  readonly port?: number;
  /** By default all of IPv4, and of IPv6 where the pod has it. */
  readonly address?: string;
  /** Of `::`: hears IPv6 alone. */
  readonly ipv6Only?: boolean;
  /** A connected socket: it hears only this peer, and of ICMP errors (ECONNREFUSED). */
  readonly remote?: SocketAddress;
  /** The program whose socket it is to be; in this process only. */
  readonly owner?: SocketOwner;
}

export interface PodNetwork {
  /** Resolves once the handshake is complete; rejects with the socket error. `signal` aborts the attempt. */
  connectTcp(options: TcpConnectOptions, signal?: AbortSignal): Promise<PodTcpSocket>;
  listenTcp(options: TcpListenOptions): Promise<PodTcpServer>;
  bindUdp(options?: UdpBindOptions): Promise<PodUdpSocket>;
  ping(options: PingOptions, signal?: AbortSignal): Promise<PingOutcome>;
  addresses(): Promise<InterfaceAddress[]>;
  close(): void;
}
