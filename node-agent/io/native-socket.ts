/**
 * UDP sockets below Node's: made and driven by calls into the C library and into libuv inside the node binary (`koffi`).
 * Linux on 64-bit little-endian machines; the layouts are those of `struct mmsghdr` and its parts there.
 */
import { endianness } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { isMainThread } from 'node:worker_threads';
import type { LinkEndpoint } from '../datapath/link.ts';

/** What one socket can do; failures come back as a negative errno. */
export interface NativeSocket {
  readonly local: LinkEndpoint;
  /** Sends the first `count` messages; how many went, or -errno of the first one. */
  send(messages: Uint8Array, count: number): number;
  /** Takes up to `count` messages; how many came, or -errno. */
  receive(messages: Uint8Array, count: number): number;
  close(): void;
}

export interface NativeSockets {
  /** Where the first byte of a buffer stands in this process' memory. */
  addressOf(bytes: Uint8Array): number;
  /** Binds; from then on `onReadable` is called, in a turn of the event loop, while datagrams wait. Throws. */
  open(bind: LinkEndpoint, bufferBytes: number, onReadable: () => void): NativeSocket;
}

export class NativeSocketError extends Error {
  constructor(call: string, errno: number) {
    super(`${call}: ${getSystemErrorName(-errno)}`);
    this.name = 'NativeSocketError';
  }
}

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SOL_UDP = 17;
const UDP_GRO = 104;
const MSG_DONTWAIT = 0x40;
const UV_READABLE = 1;
const SOCKADDR_BYTES = 16;
/** More than sizeof(uv_poll_t) on any platform. */
const POLL_HANDLE_BYTES = 512;

/** Handles that libuv still knows: their memory must stay. */
const closing = new Set<Uint8Array>();

let loaded: Promise<NativeSockets> | undefined;

/** Rejects, saying why, where sockets of this kind cannot be had. */
export function loadNativeSockets(): Promise<NativeSockets> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<NativeSockets> {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch) || endianness() !== 'LE') {
    throw new Error(`sockets polled through libuv are there on Linux (x64, arm64), not on ${process.platform}`);
  }
  if (!isMainThread) throw new Error('sockets polled through libuv work on the main thread only');
  const { default: koffi } = await import('koffi');
  const self = koffi.load(null);
  const readableType = koffi.proto('void podwire_readable(uintptr_t handle, int status, int events)');
  const socket = self.func('int socket(int, int, int)');
  const bindSocket = self.func('int bind(int, void *, uint32_t)');
  const getsockname = self.func('int getsockname(int, void *, void *)');
  const setsockopt = self.func('int setsockopt(int, int, int, void *, uint32_t)');
  const closeDescriptor = self.func('int close(int)');
  const sendmmsg = self.func('int sendmmsg(int, void *, uint32_t, int)');
  const recvmmsg = self.func('int recvmmsg(int, void *, uint32_t, int, void *)');
  const defaultLoop = self.func('uintptr_t uv_default_loop()');
  const pollInit = self.func('int uv_poll_init(uintptr_t, void *, int)');
  const pollStart = self.func('uv_poll_start', 'int', ['void *', 'int', koffi.pointer(readableType)]);
  const pollStop = self.func('int uv_poll_stop(void *)');
  const closeHandle = self.func('void uv_close(void *, void *)');

  const outcome = (result: number): number => (result < 0 ? -koffi.errno() : result);
  const setOption = (descriptor: number, level: number, option: number, value: number): boolean =>
    setsockopt(descriptor, level, option, new Int32Array([value]), 4) === 0;

  function bound(bind: LinkEndpoint, bufferBytes: number): number {
    const descriptor: number = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) throw new NativeSocketError('socket', koffi.errno());
    const sockaddr = new Uint8Array(SOCKADDR_BYTES);
    encodeSockaddr(new DataView(sockaddr.buffer), 0, bind);
    if (bindSocket(descriptor, sockaddr, SOCKADDR_BYTES) < 0) {
      const error = new NativeSocketError(`bind ${bind.address}:${bind.port}`, koffi.errno());
      closeDescriptor(descriptor);
      throw error;
    }
    // Beyond the system's limits where this process may.
    if (!setOption(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, bufferBytes)) {
      setOption(descriptor, SOL_SOCKET, SO_RCVBUF, bufferBytes);
    }
    if (!setOption(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, bufferBytes)) {
      setOption(descriptor, SOL_SOCKET, SO_SNDBUF, bufferBytes);
    }
    // A kernel without it hands over single datagrams, which is fine too.
    setOption(descriptor, SOL_UDP, UDP_GRO, 1);
    return descriptor;
  }

  function localOf(descriptor: number): LinkEndpoint {
    const sockaddr = new Uint8Array(SOCKADDR_BYTES);
    if (getsockname(descriptor, sockaddr, new Uint32Array([SOCKADDR_BYTES])) < 0) {
      throw new NativeSocketError('getsockname', koffi.errno());
    }
    return { address: sockaddr.subarray(4, 8).join('.'), port: new DataView(sockaddr.buffer).getUint16(2) };
  }

  function poll(descriptor: number, onReadable: () => void): () => void {
    const handle = new Uint8Array(POLL_HANDLE_BYTES);
    const failed: number = pollInit(defaultLoop(), handle, descriptor);
    if (failed < 0) throw new NativeSocketError('uv_poll_init', -failed);
    const callback = koffi.register(onReadable, koffi.pointer(readableType));
    pollStart(handle, UV_READABLE, callback);
    return () => {
      pollStop(handle);
      closeHandle(handle, null);
      // libuv lets go of the handle at the end of this round of its loop, and this may be a call of the callback.
      closing.add(handle);
      const release = (): void => {
        koffi.unregister(callback);
        closing.delete(handle);
      };
      setImmediate(() => setImmediate(release));
    };
  }

  return {
    addressOf: (bytes) => Number(koffi.address(bytes)),
    open(bind, bufferBytes, onReadable) {
      const descriptor = bound(bind, bufferBytes);
      const stop = poll(descriptor, onReadable);
      return {
        local: localOf(descriptor),
        send: (messages, count) => outcome(sendmmsg(descriptor, messages, count, MSG_DONTWAIT)),
        receive: (messages, count) => outcome(recvmmsg(descriptor, messages, count, MSG_DONTWAIT, null)),
        close: () => {
          stop();
          closeDescriptor(descriptor);
        },
      };
    },
  };
}

/** `struct sockaddr_in`. */
export function encodeSockaddr(view: DataView, offset: number, { address, port }: LinkEndpoint): void {
  view.setUint16(offset, AF_INET, true);
  view.setUint16(offset + 2, port);
  address.split('.').forEach((part, index) => {
    view.setUint8(offset + 4 + index, Number(part));
  });
}
