/**
 * The frames by which a process uses a pod's network over a Unix socket.
 *
 *   | length u32 | kind u8 | channel u32 | payload ... |      little-endian; length counts everything after itself
 *
 * A channel is a request, a socket or a listener; numbers that the client gave are even, the server's (accepted
 * connections) are odd. A TCP channel starts with `INITIAL_CREDIT_BYTES` in each direction; `credit` frames give back
 * what the receiver consumed, so that a slow reader stops its sender and nobody else.
 */
import { pack, unpack } from 'msgpackr';
import { isSocketErrorCode, type SocketErrorCode } from './socket-error.ts';

export const FRAME_HEADER_BYTES = 9;
export const MAX_FRAME_BYTES = 1 << 20;
export const INITIAL_CREDIT_BYTES = 256 * 1024;
/** Credit is given back in portions, not for every frame. */
export const CREDIT_PORTION_BYTES = 64 * 1024;

export const FRAME_KIND = {
  /** client: msgpack `PodRequest`. */
  request: 1,
  /** server: msgpack answer to the request on this channel. */
  reply: 2,
  /** server: msgpack `Failure` of the request on this channel. */
  failure: 3,
  /** client: forget the request (an aborted connect or ping). */
  cancel: 4,
  /** server, channel = listener: msgpack `Accepted`. */
  accepted: 5,
  /** TCP bytes. */
  data: 6,
  /** u32: bytes that may be sent in addition. */
  credit: 7,
  /** FIN in this direction. */
  end: 8,
  /** client: close the socket or listener; server: it is closed, payload = error code or empty. */
  close: 9,
  /** client: RST. */
  reset: 10,
  /** UDP, both ways: see `encodeDatagram`. */
  datagram: 11,
  /** server: u32 send number, then an error code or nothing. */
  sent: 12,
  /** server: the error a UDP socket met (ICMP). */
  socketError: 13,
  /** client: u32, 1 for on. */
  noDelay: 14,
  /** client: u32 idle time in ms, 0 for off. */
  keepAlive: 15,
} as const;

export interface Frame {
  readonly kind: number;
  readonly channel: number;
  readonly payload: Uint8Array;
}

export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

export function encodeFrame(kind: number, channel: number, payload: Uint8Array = EMPTY): Uint8Array[] {
  const header = new Uint8Array(FRAME_HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, FRAME_HEADER_BYTES - 4 + payload.length, true);
  view.setUint8(4, kind);
  view.setUint32(5, channel, true);
  return payload.length === 0 ? [header] : [header, payload];
}

const EMPTY = new Uint8Array(0);

/** Cuts a byte stream into frames; a frame that lies within one chunk is a view into it. */
export class FrameReader {
  private rest: Uint8Array = EMPTY;

  *push(chunk: Uint8Array): Generator<Frame> {
    let bytes = this.rest.length === 0 ? chunk : concat(this.rest, chunk);
    while (bytes.length >= FRAME_HEADER_BYTES) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER_BYTES);
      const length = view.getUint32(0, true);
      if (length < FRAME_HEADER_BYTES - 4 || length > MAX_FRAME_BYTES) {
        throw new ProtocolError(
          `frame of ${length} bytes; ${FRAME_HEADER_BYTES - 4} to ${MAX_FRAME_BYTES} are allowed`,
        );
      }
      if (bytes.length < 4 + length) break;
      yield {
        kind: view.getUint8(4),
        channel: view.getUint32(5, true),
        payload: bytes.subarray(FRAME_HEADER_BYTES, 4 + length),
      };
      bytes = bytes.subarray(4 + length);
    }
    this.rest = bytes;
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

export type PodRequest =
  | {
      readonly op: 'connect';
      readonly host: string;
      readonly port: number;
      readonly localAddress?: string;
      readonly localPort?: number;
    }
  | {
      readonly op: 'listen';
      readonly host?: string;
      readonly port: number;
      readonly backlog?: number;
      readonly ipv6Only?: boolean;
    }
  | {
      readonly op: 'bind-udp';
      readonly address?: string;
      readonly port: number;
      readonly remote?: { readonly address: string; readonly port: number };
      readonly ipv6Only?: boolean;
    }
  | {
      readonly op: 'ping';
      readonly address: string;
      readonly timeoutMs: number;
      readonly payloadBytes?: number;
      readonly ttl?: number;
      readonly dontFragment?: boolean;
      readonly via?: 'udp' | 'tcp';
      readonly port?: number;
      readonly sequence?: number;
      readonly identifier?: number;
    }
  | { readonly op: 'addresses' };

export interface Failure {
  readonly code: SocketErrorCode;
  readonly syscall: string;
  readonly address?: string;
  readonly port?: number;
}

export interface EndpointsMessage {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

export interface Accepted extends EndpointsMessage {
  readonly channel: number;
}

export function encodeMessage(message: unknown): Uint8Array {
  return pack(message);
}

export function decodeMessage(payload: Uint8Array): Record<string, unknown> {
  const message: unknown = unpack(payload);
  if (!isRecord(message)) throw new ProtocolError('message is not an object');
  return message;
}

export function decodeRequest(payload: Uint8Array): PodRequest {
  const message = decodeMessage(payload);
  switch (message.op) {
    case 'connect':
      return {
        op: 'connect',
        host: text(message, 'host'),
        port: port(message, 'port'),
        localAddress: optionalText(message, 'localAddress'),
        localPort: message.localPort === undefined ? undefined : port(message, 'localPort'),
      };
    case 'listen':
      return {
        op: 'listen',
        host: message.host === undefined ? undefined : text(message, 'host'),
        port: port(message, 'port'),
        backlog: optionalNumber(message, 'backlog'),
        ipv6Only: message.ipv6Only === true,
      };
    case 'bind-udp':
      return {
        op: 'bind-udp',
        address: message.address === undefined ? undefined : text(message, 'address'),
        port: port(message, 'port'),
        remote: isRecord(message.remote) ? decodeSocketAddress(message.remote) : undefined,
        ipv6Only: message.ipv6Only === true,
      };
    case 'ping':
      return {
        op: 'ping',
        address: text(message, 'address'),
        timeoutMs: optionalNumber(message, 'timeoutMs') ?? 1000,
        payloadBytes: optionalNumber(message, 'payloadBytes'),
        ttl: optionalNumber(message, 'ttl'),
        dontFragment: message.dontFragment === true,
        via: message.via === 'udp' || message.via === 'tcp' ? message.via : undefined,
        port: optionalNumber(message, 'port'),
        sequence: optionalNumber(message, 'sequence'),
        identifier: optionalNumber(message, 'identifier'),
      };
    case 'addresses':
      return { op: 'addresses' };
    default:
      throw new ProtocolError(`unknown request ${String(message.op)}`);
  }
}

export function decodeFailure(payload: Uint8Array): Failure {
  const message = decodeMessage(payload);
  if (!isSocketErrorCode(message.code)) throw new ProtocolError(`unknown error code ${String(message.code)}`);
  return {
    code: message.code,
    syscall: text(message, 'syscall'),
    address: optionalText(message, 'address'),
    port: optionalNumber(message, 'port'),
  };
}

export function decodeEndpoints(message: Record<string, unknown>): EndpointsMessage {
  return {
    localAddress: text(message, 'localAddress'),
    localPort: port(message, 'localPort'),
    remoteAddress: text(message, 'remoteAddress'),
    remotePort: port(message, 'remotePort'),
  };
}

export function decodeAccepted(payload: Uint8Array): Accepted {
  const message = decodeMessage(payload);
  const channel = optionalNumber(message, 'channel');
  if (channel === undefined) throw new ProtocolError('accepted connection without a channel');
  return { ...decodeEndpoints(message), channel };
}

export function decodeSocketAddress(message: Record<string, unknown>): { address: string; port: number } {
  return { address: text(message, 'address'), port: port(message, 'port') };
}

/** `number` is the client's send number; 0 on the way back. */
export interface Datagram {
  readonly number: number;
  readonly address: string;
  readonly port: number;
  readonly data: Uint8Array;
}

/** number u32, port u16, length of the address u8, address, data */
export function encodeDatagram(datagram: Datagram): Uint8Array {
  const address = new TextEncoder().encode(datagram.address);
  const bytes = new Uint8Array(7 + address.length + datagram.data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, datagram.number, true);
  view.setUint16(4, datagram.port, true);
  view.setUint8(6, address.length);
  bytes.set(address, 7);
  bytes.set(datagram.data, 7 + address.length);
  return bytes;
}

export function decodeDatagram(payload: Uint8Array): Datagram {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const addressLength = payload.length < 7 ? 0 : view.getUint8(6);
  if (payload.length < 7 + addressLength) throw new ProtocolError('truncated datagram');
  return {
    number: view.getUint32(0, true),
    port: view.getUint16(4, true),
    address: new TextDecoder().decode(payload.subarray(7, 7 + addressLength)),
    data: payload.subarray(7 + addressLength),
  };
}

export function encodeUint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

export function decodeUint32(payload: Uint8Array): number {
  if (payload.length < 4) throw new ProtocolError('truncated number');
  return new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0, true);
}

/** An error code as payload; empty for none. */
export function encodeCode(code: SocketErrorCode | null): Uint8Array {
  return code === null ? EMPTY : new TextEncoder().encode(code);
}

export function decodeCode(payload: Uint8Array): SocketErrorCode | null {
  if (payload.length === 0) return null;
  const code = new TextDecoder().decode(payload);
  if (!isSocketErrorCode(code)) throw new ProtocolError(`unknown error code ${code}`);
  return code;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(message: Record<string, unknown>, field: string): string {
  const value = message[field];
  if (typeof value !== 'string') throw new ProtocolError(`${field} is not a text`);
  return value;
}

function optionalText(message: Record<string, unknown>, field: string): string | undefined {
  return message[field] === undefined || message[field] === null ? undefined : text(message, field);
}

function optionalNumber(message: Record<string, unknown>, field: string): number | undefined {
  const value = message[field];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new ProtocolError(`${field} is not a number`);
  return value;
}

function port(message: Record<string, unknown>, field: string): number {
  const value = optionalNumber(message, field);
  if (value === undefined || !Number.isInteger(value) || value < 0 || value > 65_535) {
    throw new ProtocolError(`${field} is not a port number`);
  }
  return value;
}
