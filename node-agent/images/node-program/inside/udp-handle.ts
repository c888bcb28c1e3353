/** libuv's UDP handle over the pod's network: the methods that `dgram` calls on it. */
import type { PodUdpSocket, SocketAddress, UdpBindOptions } from '../../../../shared/podnet/pod-network.ts';
import type { SocketNetwork } from '../../../../shared/podnet/socket-client.ts';
import {
  binding,
  errorNumber,
  errorNumberOf,
  inContext,
  mapped,
  type NativeHandle,
  named,
  type RequestWrap,
  replaceMethods,
  type SocketName,
  unmapped,
} from './bindings.ts';
import { inOwnTurn } from './own-turn.ts';
import type { PodLink } from './pod-link.ts';

interface UdpHandle extends NativeHandle {
  onmessage(status: number, handle: UdpHandle, data?: Buffer, from?: SocketAddress & { family: string }): void;
}

interface BufferSizeContext {
  errno?: number;
  code?: string;
  message?: string;
  syscall?: string;
}

interface UdpState {
  socket?: PodUdpSocket;
  network?: SocketNetwork;
  /** Of a connected socket: where datagrams go and whose are heard. */
  peer?: SocketAddress;
  /** A socket of IPv6, which writes addresses of IPv4 as its own. */
  isIpv6: boolean;
  /** Bytes of both buffers, as Linux keeps them: twice what it was told. */
  bufferBytes: [receive: number, send: number];
  receiving: boolean;
  referenced: boolean;
  closed: boolean;
}

/** Linux' net.core.rmem_default and wmem_default. */
const BUFFER_BYTES = 212_992;
const UV_UDP_IPV6ONLY = 1;

const { UDP } = binding('udp_wrap');
const states = new WeakMap<NativeHandle, UdpState>();
let podLink: PodLink;
let podHasIpv6: boolean;

export function installUdp(link: PodLink, hasIpv6: boolean): void {
  podLink = link;
  podHasIpv6 = hasIpv6;
  replaceMethods(UDP.prototype, udpMethods);
}

function stateOf(handle: NativeHandle): UdpState {
  let state = states.get(handle);
  if (state === undefined) {
    state = {
      receiving: false,
      referenced: true,
      closed: false,
      isIpv6: false,
      bufferBytes: [BUFFER_BYTES, BUFFER_BYTES],
    };
    states.set(handle, state);
  }
  return state;
}

const accepted = (): number => 0;
const notThere = (): number => errorNumber('ENODEV');

function ofOpenSocket(this: UdpHandle): number {
  return stateOf(this).socket === undefined ? errorNumber('EBADF') : 0;
}

function hops(least: number) {
  return function setHops(this: UdpHandle, ttl: number): number {
    if (ttl < least || ttl > 255) return errorNumber('EINVAL');
    return ofOpenSocket.call(this);
  };
}

const udpMethods = {
  open: () => errorNumber('EINVAL'),

  bind(this: UdpHandle, address: string, port: number): number {
    const state = stateOf(this);
    if (state.socket !== undefined) return errorNumber('EINVAL');
    return open(this, state, { address, port });
  },

  bind6(this: UdpHandle, address: string, port: number, flags: number): number {
    if (!podHasIpv6) return errorNumber('EAFNOSUPPORT');
    const state = stateOf(this);
    if (state.socket !== undefined) return errorNumber('EINVAL');
    state.isIpv6 = true;
    return open(this, state, { address: unmapped(address), port, ipv6Only: (flags & UV_UDP_IPV6ONLY) !== 0 });
  },

  connect(this: UdpHandle, address: string, port: number): number {
    const state = stateOf(this);
    const local = state.socket?.address() ?? { address: address.includes(':') ? '::' : '0.0.0.0', port: 0 };
    return reopen(this, state, { ...local, remote: { address, port } });
  },

  connect6(this: UdpHandle, address: string, port: number): number {
    return udpMethods.connect.call(this, unmapped(address), port);
  },

  disconnect(this: UdpHandle): number {
    const state = stateOf(this);
    if (state.peer === undefined || state.socket === undefined) return errorNumber('ENOTCONN');
    return reopen(this, state, state.socket.address());
  },

  /** `(request, list, count, port, address, hasCallback)`, or of a connected socket `(request, list, count, hasCallback)`. */
  send(this: UdpHandle, request: RequestWrap, list: Uint8Array[], _count: number, ...rest: unknown[]): number {
    const state = stateOf(this);
    const connected = rest.length < 3;
    const port = connected ? state.peer?.port : (rest[0] as number);
    const address = connected ? state.peer?.address : (rest[1] as string);
    if (port === undefined || address === undefined) return errorNumber('EDESTADDRREQ');
    if (state.socket === undefined) {
      const failure = udpMethods.bind.call(this, '0.0.0.0', 0);
      if (failure !== 0) return failure;
    }
    const data = Buffer.concat(list);
    const complete = inContext((status: number) => request.oncomplete?.(status, data.length));
    const sent = podLink.afterGoodbyes().then(() => state.socket?.send(data, port, address));
    sent.then(
      () => inOwnTurn(complete, 0),
      (error: unknown) => inOwnTurn(complete, errorNumberOf(error)),
    );
    return 0;
  },

  send6(this: UdpHandle, request: RequestWrap, list: Uint8Array[], count: number, ...rest: unknown[]): number {
    const failure = stateOf(this).socket === undefined ? udpMethods.bind6.call(this, '::', 0, 0) : 0;
    if (failure !== 0) return failure;
    const [port, address, ...more] = rest;
    const values = typeof address === 'string' ? [port, unmapped(address), ...more] : rest;
    return udpMethods.send.call(this, request, list, count, ...values);
  },

  recvStart(this: UdpHandle): number {
    stateOf(this).receiving = true;
    return 0;
  },

  recvStop(this: UdpHandle): number {
    stateOf(this).receiving = false;
    return 0;
  },

  getsockname(this: UdpHandle, name: SocketName): number {
    const { socket } = stateOf(this);
    if (socket === undefined) return errorNumber('EBADF');
    Object.assign(name, named(socket.address()));
    return 0;
  },

  getpeername(this: UdpHandle, name: SocketName): number {
    const { peer } = stateOf(this);
    if (peer === undefined) return errorNumber('ENOTCONN');
    Object.assign(name, named(peer));
    return 0;
  },

  close(this: UdpHandle, callback?: () => void): void {
    const state = stateOf(this);
    if (state.closed) return;
    state.closed = true;
    close(state);
    if (callback !== undefined) setImmediate(inContext(() => callback.call(this)));
  },

  ref(this: UdpHandle): void {
    const state = stateOf(this);
    state.referenced = true;
    state.network?.ref();
  },

  unref(this: UdpHandle): void {
    const state = stateOf(this);
    state.referenced = false;
    state.network?.unref();
  },

  hasRef(this: UdpHandle): boolean {
    const { referenced, closed } = stateOf(this);
    return referenced && !closed;
  },

  /** 0 asks. Failures are told in `context`. */
  bufferSize(this: UdpHandle, size: number, isReceive: boolean, context: BufferSizeContext): number | undefined {
    const { socket, bufferBytes } = stateOf(this);
    if (socket === undefined) {
      const syscall = isReceive ? 'uv_recv_buffer_size' : 'uv_send_buffer_size';
      Object.assign(context, { errno: errorNumber('EBADF'), code: 'EBADF', message: 'bad file descriptor', syscall });
      return undefined;
    }
    const which = isReceive ? 0 : 1;
    if (size > 0) bufferBytes[which] = 2 * size;
    return bufferBytes[which];
  },
  getSendQueueSize: accepted,
  getSendQueueCount: accepted,
  setBroadcast: ofOpenSocket,
  setTTL: hops(1),
  setMulticastTTL: hops(0),
  setMulticastLoopback: accepted,
  // A pod's network carries no multicast.
  setMulticastInterface: notThere,
  addMembership: notThere,
  dropMembership: notThere,
  addSourceSpecificMembership: notThere,
  dropSourceSpecificMembership: notThere,
};

function open(handle: UdpHandle, state: UdpState, options: UdpBindOptions): number {
  try {
    const { opened: socket, network } = podLink.openNow((link) => link.bindUdpNow(options));
    socket.on('message', (data: Uint8Array, from: SocketAddress) => receive(handle, state, data, from));
    if (options.remote !== undefined) socket.on('error', (error) => fail(handle, state, error));
    Object.assign(state, { socket, network, peer: options.remote });
    if (!state.referenced) network.unref();
    return 0;
  } catch (error) {
    return errorNumberOf(error);
  }
}

/** A socket is connected from its beginning or not at all: another one takes its port. */
function reopen(handle: UdpHandle, state: UdpState, options: UdpBindOptions): number {
  close(state);
  return open(handle, state, options);
}

function close(state: UdpState): void {
  const { network } = state;
  state.socket = undefined;
  state.network = undefined;
  if (network === undefined) return;
  podLink.end(network);
}

function fail(handle: UdpHandle, state: UdpState, error: Error): void {
  inOwnTurn(() => {
    if (!state.closed) handle.onmessage(errorNumberOf(error), handle);
  });
}

function receive(handle: UdpHandle, state: UdpState, data: Uint8Array, from: SocketAddress): void {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  inOwnTurn(() => {
    if (state.receiving && !state.closed)
      handle.onmessage(bytes.length, handle, bytes, named(state.isIpv6 ? mapped(from) : from));
  });
}
