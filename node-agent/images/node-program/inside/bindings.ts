/**
 * What lies below Node's public modules: the objects that `net`, `dgram`, `dns` and `tls` call, as far as they are replaced
 * here. `net.Socket`, `http.Agent`, undici and all that is built on them stay Node's own, and so do their classes.
 */
import { AsyncResource } from 'node:async_hooks';
import { getSystemErrorMap } from 'node:util';
import type { SocketAddress } from '../../../../shared/podnet/pod-network.ts';
import { socketErrorCode } from '../../../../shared/podnet/socket-error.ts';

/** A request of libuv's: called once with 0 or a negative error number. */
export interface RequestWrap {
  oncomplete?: (...values: unknown[]) => void;
}

export interface SocketName {
  address?: string;
  port?: number;
  family?: string;
}

/** The part of libuv's TCP, UDP and other handles that all of them have. */
export interface NativeHandle {
  getProviderType(): number;
  onread: (bytes: ArrayBuffer | undefined) => Uint8Array | undefined;
}

export interface JsStream extends NativeHandle {
  onreadstart: () => number;
  onreadstop: () => number;
  onwrite: (request: RequestWrap, buffers: Uint8Array[]) => number;
  onshutdown: (request: RequestWrap) => number;
  isClosing: () => boolean;
  readBuffer(bytes: Uint8Array): void;
  emitEOF(): void;
  finishWrite(request: RequestWrap, status: number): void;
  finishShutdown(request: RequestWrap, status: number): void;
}

const MAPPED = '::ffff:';

/** An address of IPv4 as a socket of IPv6 writes it (RFC 4291 section 2.5.5.2). */
export function mapped({ address, port }: SocketAddress): SocketAddress {
  return { address: address.includes(':') ? address : `${MAPPED}${address}`, port };
}

/** The address that a mapped one stands for; any other is itself. */
export function unmapped(address: string): string {
  const bare = address.slice(MAPPED.length);
  return address.toLowerCase().startsWith(MAPPED) && !bare.includes(':') ? bare : address;
}

/** An end of a socket as `getsockname` and `getpeername` tell it. */
export function named({ address, port }: SocketAddress): { address: string; family: string; port: number } {
  return { address, family: address.includes(':') ? 'IPv6' : 'IPv4', port };
}

type Methods = Record<string, (this: never, ...values: never[]) => unknown>;

interface Constructor<T> {
  new (...values: unknown[]): T;
  readonly prototype: T;
}

interface Bindings {
  tcp_wrap: {
    readonly TCP: Constructor<NativeHandle>;
    readonly constants: { readonly SOCKET: number; readonly SERVER: number; readonly UV_TCP_IPV6ONLY: number };
  };
  udp_wrap: { readonly UDP: Constructor<NativeHandle> };
  js_stream: { readonly JSStream: Constructor<JsStream> };
  stream_wrap: {
    readonly streamBaseState: Int32Array;
    readonly kReadBytesOrError: number;
    readonly kArrayBufferOffset: number;
    readonly kBytesWritten: number;
    readonly kLastWriteWasAsync: number;
  };
  tls_wrap: { wrap: (handle: NativeHandle, ...more: unknown[]) => NativeHandle };
  cares_wrap: {
    getaddrinfo: (...values: never[]) => number;
    getnameinfo: (...values: never[]) => number;
    readonly ChannelWrap: Constructor<object>;
  };
  pipe_wrap: {
    readonly Pipe: Constructor<{ bind(...values: unknown[]): number; connect(...values: unknown[]): number }>;
  };
  spawn_sync: { spawn: (options: object) => unknown };
}

/** Node's internal objects by name; this is the one door to them that it leaves open (DEP0111). */
export function binding<Name extends keyof Bindings>(name: Name): Bindings[Name] {
  const open = (process as unknown as { binding(name: string): unknown }).binding;
  return open.call(process, name) as Bindings[Name];
}

/** Puts methods in the place of a native class' own. */
export function replaceMethods(prototype: object, methods: Methods): void {
  for (const [name, method] of Object.entries(methods)) {
    Object.defineProperty(prototype, name, { value: method, writable: true, configurable: true });
  }
}

const errorNumbers = new Map([...getSystemErrorMap()].map(([number, [name]]) => [name, number]));

/** libuv's negative number of an error's name on this machine. */
export function errorNumber(name: string): number {
  return errorNumbers.get(name) ?? -4094;
}

export function errorNumberOf(error: unknown): number {
  return errorNumber(socketErrorCode(error) ?? 'UNKNOWN');
}

/** Calls `complete` later, in the asynchronous context of now: what AsyncLocalStorage holds for a request. */
export function inContext<Values extends unknown[]>(
  complete: (...values: Values) => void,
): (...values: Values) => void {
  const resource = new AsyncResource('POD_SOCKET');
  return (...values) => resource.runInAsyncScope(complete, undefined, ...values);
}
