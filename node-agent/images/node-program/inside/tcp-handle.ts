/**
 * libuv's TCP handle over the pod's network: the methods that `net` calls on it. The native object is still made, and never
 * opens a descriptor, as none of its own methods can be reached any more.
 */
import type { PodTcpSocket } from '../../../../shared/podnet/pod-network.ts';
import {
  binding,
  errorNumber,
  errorNumberOf,
  inContext,
  type NativeHandle,
  named,
  type RequestWrap,
  replaceMethods,
  type SocketName,
  unmapped,
} from './bindings.ts';
import { type ByteSink, ByteStream } from './byte-stream.ts';
import { inOwnTurn } from './own-turn.ts';
import type { PodLink } from './pod-link.ts';
import { TcpState } from './tcp-state.ts';
import { isBeingWrapped } from './tls-wrapping.ts';

interface ServerHandle extends NativeHandle {
  onconnection(status: number, client?: NativeHandle): void;
}

const { TCP, constants } = binding('tcp_wrap');
/** What handles that `listen` makes are known by. */
const SERVER_PROVIDER = new TCP(constants.SERVER).getProviderType();
const { streamBaseState, kReadBytesOrError, kArrayBufferOffset, kBytesWritten, kLastWriteWasAsync } =
  binding('stream_wrap');
const END_OF_FILE = -4095;

const states = new WeakMap<NativeHandle, TcpState>();
let podLink: PodLink;
let podHasIpv6: boolean;

export function isTcpHandle(handle: NativeHandle): boolean {
  return handle instanceof TCP;
}

export function stateOf(handle: NativeHandle): TcpState {
  let state = states.get(handle);
  if (state === undefined) {
    state = new TcpState(podLink);
    states.set(handle, state);
  }
  return state;
}

export function installTcp(link: PodLink, hasIpv6: boolean): void {
  podLink = link;
  podHasIpv6 = hasIpv6;
  replaceMethods(TCP.prototype, tcpMethods);
  // Whoever wants to read the native stream is told that there is none, and takes the socket; TLS is given another one.
  Object.defineProperty(TCP.prototype, 'isStreamBase', { get: isBeingWrapped, configurable: true });
  for (const [name, get] of Object.entries(tcpProperties)) {
    Object.defineProperty(TCP.prototype, name, { get, configurable: true });
  }
}

const tcpProperties = {
  fd: () => -1,
  writeQueueSize: () => 0,
  bytesRead(this: NativeHandle): number {
    return stateOf(this).bytesRead;
  },
  bytesWritten(this: NativeHandle): number {
    return stateOf(this).bytesWritten;
  },
};

const tcpMethods = {
  open: () => errorNumber('EINVAL'),
  setBlocking: () => 0,
  getTypeOfService: () => 0,
  setTypeOfService: () => 0,

  bind(this: NativeHandle, address: string, port?: number): number {
    const state = stateOf(this);
    if (state.stream !== undefined) return errorNumber('EINVAL');
    // Who names an address alone names no port.
    state.bound = { address, port: port ?? 0 };
    return isServer(this) ? 0 : tryBinding(address, port ?? 0);
  },

  /** Where the pod has IPv4 alone, the wildcard of both families is that of IPv4. */
  bind6(this: NativeHandle, address: string, port: number, flags: number): number {
    if (podHasIpv6 || address === '::1') {
      const state = stateOf(this);
      state.ipv6Only = (flags & constants.UV_TCP_IPV6ONLY) !== 0;
      state.isIpv6 = true;
      return tcpMethods.bind.call(this, unmapped(address), port);
    }
    const isWildcard = address === '::' && (flags & constants.UV_TCP_IPV6ONLY) === 0;
    return isWildcard ? tcpMethods.bind.call(this, '0.0.0.0', port) : errorNumber('EAFNOSUPPORT');
  },

  listen(this: ServerHandle, backlog: number): number {
    const state = stateOf(this);
    const { address: host, port } = state.bound ?? { address: '0.0.0.0', port: 0 };
    try {
      const { opened: listener, network } = podLink.openNow((link) =>
        link.listenTcpNow({ host, port, backlog, ipv6Only: state.ipv6Only, allowHalfOpen: true }),
      );
      state.bound = listener.address();
      state.server = { listener, network };
      listener.on('connection', (socket: PodTcpSocket) => accept(this, state, socket));
      state.settleReferences();
      return 0;
    } catch (error) {
      return errorNumberOf(error);
    }
  },

  connect(this: NativeHandle, request: RequestWrap, address: string, port: number): number {
    connect(this, request, address, port);
    return 0;
  },

  connect6(this: NativeHandle, request: RequestWrap, address: string, port: number): number {
    stateOf(this).isIpv6 = true;
    connect(this, request, unmapped(address), port);
    return 0;
  },

  getsockname(this: NativeHandle, name: SocketName): number {
    const state = stateOf(this);
    if (state.stream !== undefined) Object.assign(name, state.name(state.stream.local));
    else if (state.bound === undefined) return errorNumber('EBADF');
    else Object.assign(name, named(state.bound));
    return 0;
  },

  getpeername(this: NativeHandle, name: SocketName): number {
    const state = stateOf(this);
    if (state.stream === undefined) return errorNumber('ENOTCONN');
    Object.assign(name, state.name(state.stream.remote));
    return 0;
  },

  setNoDelay(this: NativeHandle, on: boolean): number {
    const state = stateOf(this);
    state.noDelay = on;
    state.stream?.setNoDelay(on);
    return 0;
  },

  /** The delay comes in seconds. */
  setKeepAlive(this: NativeHandle, on: boolean, initialDelaySeconds: number): number {
    const state = stateOf(this);
    state.keepAliveDelayMs = on ? initialDelaySeconds * 1000 : undefined;
    state.stream?.setKeepAlive(on, initialDelaySeconds * 1000);
    return 0;
  },

  readStart(this: NativeHandle): number {
    const state = stateOf(this);
    state.reading = true;
    state.stream?.readStart();
    return 0;
  },

  readStop(this: NativeHandle): number {
    const state = stateOf(this);
    state.reading = false;
    state.stream?.readStop();
    return 0;
  },

  useUserBuffer(this: NativeHandle, buffer: Uint8Array): void {
    stateOf(this).userBuffer = buffer;
  },

  writeBuffer(this: NativeHandle, request: RequestWrap, bytes: Uint8Array): number {
    return write(this, request, [bytes]);
  },

  writev(this: NativeHandle, request: RequestWrap, chunks: unknown[], allBuffers: boolean): number {
    return write(this, request, allBuffers ? (chunks as Uint8Array[]) : decodeChunks(chunks));
  },

  writeAsciiString: writeString('latin1'),
  writeLatin1String: writeString('latin1'),
  writeUtf8String: writeString('utf8'),
  writeUcs2String: writeString('utf16le'),

  shutdown(this: NativeHandle, request: RequestWrap): number {
    const { stream } = stateOf(this);
    if (stream === undefined) return errorNumber('ENOTCONN');
    stream.shutdown(inContext((status) => request.oncomplete?.(status)));
    return 0;
  },

  close(this: NativeHandle, callback?: () => void): void {
    end(this, callback, (stream) => stream.close());
  },

  reset(this: NativeHandle, callback?: () => void): number {
    end(this, callback, (stream) => stream.reset());
    return 0;
  },

  ref(this: NativeHandle): void {
    stateOf(this).setReferenced(true);
  },

  unref(this: NativeHandle): void {
    stateOf(this).setReferenced(false);
  },

  hasRef(this: NativeHandle): boolean {
    return stateOf(this).referenced;
  },
};

function isServer(handle: NativeHandle): boolean {
  return handle.getProviderType() === SERVER_PROVIDER;
}

/** Whether a connection may come from there; what listens for a moment finds out. */
function tryBinding(host: string, port: number): number {
  try {
    const { network } = podLink.openNow((link) => link.listenTcpNow({ host, port, backlog: 1 }));
    podLink.end(network);
    return 0;
  } catch (error) {
    return errorNumberOf(error);
  }
}

function connect(handle: NativeHandle, request: RequestWrap, host: string, port: number): void {
  const state = stateOf(handle);
  const attempt = new AbortController();
  state.attempt = attempt;
  state.settleReferences();
  const complete = inContext((status: number) => request.oncomplete?.(status, handle, request, true, true));
  const { address: localAddress, port: localPort } = state.bound ?? {};
  // Completed outside the promise, so that what a program throws is an uncaught exception as ever.
  const options = { host, port, localAddress, localPort, allowHalfOpen: true };
  const connected = podLink.afterGoodbyes().then(() => podLink.shared.connectTcp(options, attempt.signal));
  connected.then(
    (socket) => {
      if (state.closed) {
        socket.destroy();
        return;
      }
      state.attempt = undefined;
      // Before whatever has arrived by now.
      inOwnTurn(complete, 0);
      open(handle, state, socket);
    },
    (error: unknown) => inOwnTurn(complete, state.closed ? errorNumber('ECANCELED') : errorNumberOf(error)),
  );
}

function open(handle: NativeHandle, state: TcpState, socket: PodTcpSocket): void {
  const stream = new ByteStream(socket);
  state.stream = stream;
  stream.sink = state.sink ?? readerOf(handle, state);
  if (state.noDelay) stream.setNoDelay(true);
  if (state.keepAliveDelayMs !== undefined) stream.setKeepAlive(true, state.keepAliveDelayMs);
  if (state.reading) stream.readStart();
  state.settleReferences();
}

function readerOf(handle: NativeHandle, state: TcpState): ByteSink {
  return {
    bytes: (chunk) => {
      state.bytesRead += chunk.length;
      state.resource.runInAsyncScope(deliver, undefined, handle, state, chunk);
    },
    end: (status) => {
      state.resource.runInAsyncScope(deliverEnd, undefined, handle, status === 0 ? END_OF_FILE : status);
    },
  };
}

/** Lets somebody else than the handle's own reader take what arrives, whether it is connected by now or not. */
export function divert(handle: NativeHandle, sink: ByteSink): void {
  const state = stateOf(handle);
  state.sink = sink;
  if (state.stream !== undefined) state.stream.sink = sink;
}

function accept(server: ServerHandle, state: TcpState, socket: PodTcpSocket): void {
  const client = new TCP(constants.SOCKET);
  stateOf(client).isIpv6 = state.isIpv6;
  state.accepted += 1;
  socket.once('close', () => {
    state.accepted -= 1;
    if (state.closed && state.accepted === 0) state.server?.network.finish();
  });
  open(client, stateOf(client), socket);
  inOwnTurn(() => {
    if (state.closed) stateOf(client).stream?.reset();
    else state.resource.runInAsyncScope(() => server.onconnection(0, client));
  });
}

function deliver(handle: NativeHandle, state: TcpState, chunk: Uint8Array): void {
  if (state.userBuffer === undefined) {
    streamBaseState[kReadBytesOrError] = chunk.length;
    streamBaseState[kArrayBufferOffset] = chunk.byteOffset;
    handle.onread(chunk.buffer as ArrayBuffer);
    return;
  }
  for (let start = 0; start < chunk.length; ) {
    const part = chunk.subarray(start, start + state.userBuffer.length);
    state.userBuffer.set(part);
    start += part.length;
    streamBaseState[kReadBytesOrError] = part.length;
    state.userBuffer = handle.onread(undefined) ?? state.userBuffer;
  }
}

/** End of file, or the error by which reading ended. */
export function deliverEnd(handle: NativeHandle, status: number): void {
  streamBaseState[kReadBytesOrError] = status;
  handle.onread(undefined);
}

function write(handle: NativeHandle, request: RequestWrap, chunks: readonly Uint8Array[]): number {
  const state = stateOf(handle);
  if (state.stream === undefined) return errorNumber('EPIPE');
  const byteCount = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  state.bytesWritten += byteCount;
  streamBaseState[kBytesWritten] = byteCount;
  streamBaseState[kLastWriteWasAsync] = 1;
  state.stream.write(
    chunks,
    inContext((status) => request.oncomplete?.(status, handle, undefined)),
  );
  return 0;
}

function writeString(encoding: BufferEncoding) {
  return function writeText(this: NativeHandle, request: RequestWrap, text: string): number {
    return write(this, request, [Buffer.from(text, encoding)]);
  };
}

/** Chunks and their encodings in turn. */
function decodeChunks(chunks: readonly unknown[]): Uint8Array[] {
  const decoded: Uint8Array[] = [];
  for (let index = 0; index < chunks.length; index += 2) {
    const chunk = chunks[index];
    if (typeof chunk !== 'string') decoded.push(chunk as Uint8Array);
    else decoded.push(Buffer.from(chunk, chunks[index + 1] as BufferEncoding));
  }
  return decoded;
}

function end(handle: NativeHandle, callback: (() => void) | undefined, finish: (stream: ByteStream) => void): void {
  const state = stateOf(handle);
  if (state.closed) return;
  state.closed = true;
  state.attempt?.abort();
  if (state.stream !== undefined) finish(state.stream);
  const { server } = state;
  if (server !== undefined) {
    const { listener, network } = server;
    void listener.close();
    // The listener's connections live on its link.
    if (state.accepted === 0) podLink.end(network);
    else podLink.flush(network);
  }
  state.settleReferences();
  if (callback !== undefined) {
    const done = inContext(() => callback.call(handle));
    // As late as libuv's: whoever closes for an error tells of that first.
    setImmediate(done);
  }
}
