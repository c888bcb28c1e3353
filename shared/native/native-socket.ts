/**
 * UDP sockets below Node's, by calls into the C library (`native-library.ts`). The layouts are those of `struct mmsghdr` and
 * its parts on 64-bit Linux.
 */
import { loadNativeLibrary, NativeCallError } from './native-library.ts';

export interface SocketEndpoint {
  /** Text: `127.0.1.10`. */
  readonly address: string;
  readonly port: number;
}

/** What one socket can do; failures come back as a negative errno. */
export interface NativeSocket {
  readonly local: SocketEndpoint;
  readonly descriptor: number;
  /** What the kernel gave of the receive buffer asked for; it counts its own bookkeeping into it. */
  readonly receiveBufferBytes: number;
  /** Sends the first `count` messages of the array at an address; how many went, or -errno of the first one. */
  send(messages: number, count: number): number;
  /** Sends one datagram from an address to the `sockaddr_in` at another; its length, or -errno. */
  sendOne(start: number, length: number, name: number): number;
  /** Takes up to `count` messages into the array at an address; how many came, or -errno. */
  receive(messages: number, count: number): number;
  /** From now on `onReadable` is called, in a turn of the event loop, while datagrams wait. Throws. */
  poll(onReadable: () => void): void;
  /** Not for who has handed over the descriptor. */
  close(): void;
}

export interface NativeSockets {
  /** Where the first byte of a buffer stands in this process' memory. */
  addressOf(bytes: Uint8Array): number;
  /** Binds. Throws NativeCallError. */
  open(options: NativeSocketOptions): NativeSocket;
}

export interface NativeSocketOptions {
  readonly bind: SocketEndpoint;
  /** Asked for, of each direction; the kernel may give less. */
  readonly bufferBytes: number;
  /** Datagrams of one sender that come together are taken as one message (UDP GRO). */
  readonly joined: boolean;
}

export const AF_INET = 2;
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
const SOCKADDR_BYTES = 16;

let loaded: Promise<NativeSockets> | undefined;

/** Rejects, saying why, where sockets of this kind cannot be had. */
export function loadNativeSockets(): Promise<NativeSockets> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<NativeSockets> {
  const library = await loadNativeLibrary();
  const { closeDescriptor, outcome } = library;
  const socket = library.declare('int socket(int, int, int)');
  const bindSocket = library.declare('int bind(int, void *, uint32_t)');
  const getsockname = library.declare('int getsockname(int, void *, void *)');
  const setsockopt = library.declare('int setsockopt(int, int, int, void *, uint32_t)');
  const getsockopt = library.declare('int getsockopt(int, int, int, void *, void *)');
  const sendto = library.declare('int sendto(int, uintptr_t, size_t, int, uintptr_t, uint32_t)');
  const sendmmsg = library.declare('int sendmmsg(int, uintptr_t, uint32_t, int)');
  const recvmmsg = library.declare('int recvmmsg(int, uintptr_t, uint32_t, int, uintptr_t)');

  const setOption = (descriptor: number, level: number, option: number, value: number): boolean =>
    setsockopt(descriptor, level, option, new Int32Array([value]), 4) === 0;

  function bound({ bind, bufferBytes, joined }: NativeSocketOptions): number {
    const descriptor = outcome(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (descriptor < 0) throw new NativeCallError('socket', descriptor);
    const sockaddr = new Uint8Array(SOCKADDR_BYTES);
    encodeSockaddr(new DataView(sockaddr.buffer), 0, bind);
    const failed = outcome(bindSocket(descriptor, sockaddr, SOCKADDR_BYTES));
    if (failed < 0) {
      closeDescriptor(descriptor);
      throw new NativeCallError(`bind ${bind.address}:${bind.port}`, failed);
    }
    // Beyond the system's limits where this process may.
    if (!setOption(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, bufferBytes)) {
      setOption(descriptor, SOL_SOCKET, SO_RCVBUF, bufferBytes);
    }
    if (!setOption(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, bufferBytes)) {
      setOption(descriptor, SOL_SOCKET, SO_SNDBUF, bufferBytes);
    }
    // A kernel without it hands over single datagrams, which is fine too.
    if (joined) setOption(descriptor, SOL_UDP, UDP_GRO, 1);
    return descriptor;
  }

  function localOf(descriptor: number): SocketEndpoint {
    const sockaddr = new Uint8Array(SOCKADDR_BYTES);
    const failed = outcome(getsockname(descriptor, sockaddr, new Uint32Array([SOCKADDR_BYTES])));
    if (failed < 0) throw new NativeCallError('getsockname', failed);
    return { address: sockaddr.subarray(4, 8).join('.'), port: new DataView(sockaddr.buffer).getUint16(2) };
  }

  function receiveBufferOf(descriptor: number): number {
    const value = new Int32Array(1);
    const failed = outcome(getsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, value, new Uint32Array([4])));
    if (failed < 0) throw new NativeCallError('getsockopt', failed);
    return value[0]!;
  }

  return {
    addressOf: library.addressOf,
    open(options) {
      const descriptor = bound(options);
      let stopPolling: (() => void) | undefined;
      return {
        local: localOf(descriptor),
        descriptor,
        receiveBufferBytes: receiveBufferOf(descriptor),
        send: (messages, count) => outcome(sendmmsg(descriptor, messages, count, MSG_DONTWAIT)),
        sendOne: (start, length, name) =>
          outcome(sendto(descriptor, start, length, MSG_DONTWAIT, name, SOCKADDR_BYTES)),
        receive: (messages, count) => outcome(recvmmsg(descriptor, messages, count, MSG_DONTWAIT, 0)),
        poll: (onReadable) => {
          stopPolling = library.poll(descriptor, onReadable);
        },
        close: () => {
          stopPolling?.();
          closeDescriptor(descriptor);
        },
      };
    },
  };
}

/** `struct sockaddr_in`. */
export function encodeSockaddr(view: DataView, offset: number, { address, port }: SocketEndpoint): void {
  view.setUint16(offset, AF_INET, true);
  view.setUint16(offset + 2, port);
  address.split('.').forEach((part, index) => {
    view.setUint8(offset + 4 + index, Number(part));
  });
}
