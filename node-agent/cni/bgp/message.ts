/**
 * BGP-4 messages (RFC 4271 section 4) with four-octet AS numbers (RFC 6793) and route reflection (RFC 4456), for IPv4 unicast.
 *
 *   0            16       18     19
 *   | marker 0xff | length | type | body ...
 *   OPEN          version AS hold-time identifier | parameters: capabilities (RFC 5492)
 *   UPDATE        withdrawn length, prefixes | attributes length, attributes | prefixes
 *   NOTIFICATION  code subcode data
 *   KEEPALIVE     nothing
 */
import { networkOf } from '../../../shared/wire/address.ts';
import type { IpPrefix } from '../../../shared/wire/ip-address.ts';

export const HEADER_BYTES = 19;
export const MAX_MESSAGE_BYTES = 4096;
export const BGP_PORT = 179;

const MARKER_BYTES = 16;
const TYPE_OPEN = 1;
const TYPE_UPDATE = 2;
const TYPE_NOTIFICATION = 3;
const TYPE_KEEPALIVE = 4;

const VERSION = 4;
/** Stands for an AS number of four octets where there is room for two. */
const AS_TRANS = 23_456;
const PARAMETER_CAPABILITIES = 2;
const CAPABILITY_MULTIPROTOCOL = 1;
const CAPABILITY_FOUR_OCTET_AS = 65;
const AFI_IPV4 = 1;
const SAFI_UNICAST = 1;

const ORIGIN = 1;
const AS_PATH = 2;
const NEXT_HOP = 3;
const LOCAL_PREF = 5;
const ORIGINATOR_ID = 9;
const CLUSTER_LIST = 10;
const WELL_KNOWN = 0x40;
const OPTIONAL = 0x80;
const EXTENDED_LENGTH = 0x10;
const AS_SEQUENCE = 2;

/** A NOTIFICATION's code and subcode (section 4.5). */
export const HEADER_ERROR = { code: 1, notSynchronized: 1, badLength: 2, badType: 3 } as const;
export const OPEN_ERROR = { code: 2, unsupportedVersion: 1, badPeerAs: 2, badIdentifier: 3, badHoldTime: 6 } as const;
export const UPDATE_ERROR = { code: 3, malformedAttributes: 1, missingAttribute: 3, badNetwork: 10 } as const;
export const HOLD_TIMER_EXPIRED = { code: 4 } as const;
export const FSM_ERROR = { code: 5 } as const;
export const CEASE = { code: 6, shutdown: 2, collision: 7 } as const;

export interface OpenMessage {
  readonly kind: 'open';
  readonly as: number;
  /** 0: no hold timer; else at least 3. */
  readonly holdTimeSeconds: number;
  readonly identifier: number;
}

export interface UpdateMessage {
  readonly kind: 'update';
  readonly withdrawn: readonly IpPrefix[];
  /** Reachable by `attributes`; none when there are none. */
  readonly reachable: readonly IpPrefix[];
  readonly attributes: PathAttributes | undefined;
}

export interface PathAttributes {
  readonly origin: 0 | 1 | 2;
  readonly asPath: readonly number[];
  readonly nextHop: number;
  /** Within an AS. */
  readonly localPreference: number | undefined;
  /** Of a route that was reflected: who told it first, and the clusters that it came through, the last one first. */
  readonly originatorId?: number;
  readonly clusterList?: readonly number[];
}

export interface NotificationMessage {
  readonly kind: 'notification';
  readonly code: number;
  readonly subcode: number;
}

export type BgpMessage = OpenMessage | UpdateMessage | NotificationMessage | { readonly kind: 'keepalive' };

/** What a peer sent breaks the protocol; the session ends with this NOTIFICATION. */
export class BgpError extends Error {
  override readonly name = 'BgpError';
  readonly code: number;
  readonly subcode: number;

  constructor(code: number, subcode: number, message: string) {
    super(message);
    this.code = code;
    this.subcode = subcode;
  }
}

export function encodeMessage(message: BgpMessage): Uint8Array {
  switch (message.kind) {
    case 'open':
      return framed(TYPE_OPEN, openBody(message));
    case 'update':
      return framed(TYPE_UPDATE, updateBody(message));
    case 'notification':
      return framed(TYPE_NOTIFICATION, [message.code, message.subcode]);
    case 'keepalive':
      return framed(TYPE_KEEPALIVE, []);
  }
}

function framed(type: number, body: readonly number[]): Uint8Array {
  const length = HEADER_BYTES + body.length;
  if (length > MAX_MESSAGE_BYTES) throw new RangeError(`a BGP message of ${length} bytes`);
  const bytes = new Uint8Array(length).fill(0xff, 0, MARKER_BYTES);
  bytes.set([...u16(length), type, ...body], MARKER_BYTES);
  return bytes;
}

function openBody({ as, holdTimeSeconds, identifier }: OpenMessage): number[] {
  const capabilities = [
    ...[CAPABILITY_MULTIPROTOCOL, 4, ...u16(AFI_IPV4), 0, SAFI_UNICAST],
    ...[CAPABILITY_FOUR_OCTET_AS, 4, ...u32(as)],
  ];
  const parameters = [PARAMETER_CAPABILITIES, capabilities.length, ...capabilities];
  const shortAs = as > 0xffff ? AS_TRANS : as;
  return [VERSION, ...u16(shortAs), ...u16(holdTimeSeconds), ...u32(identifier), parameters.length, ...parameters];
}

function updateBody({ withdrawn, reachable, attributes }: UpdateMessage): number[] {
  const withdrawnBytes = withdrawn.flatMap(prefixBytes);
  const attributeBytes = attributes === undefined ? [] : encodeAttributes(attributes);
  return [
    ...[...u16(withdrawnBytes.length), ...withdrawnBytes],
    ...[...u16(attributeBytes.length), ...attributeBytes],
    ...reachable.flatMap(prefixBytes),
  ];
}

function encodeAttributes(attributes: PathAttributes): number[] {
  const { origin, asPath, nextHop, localPreference, originatorId, clusterList } = attributes;
  const path = asPath.length === 0 ? [] : [AS_SEQUENCE, asPath.length, ...asPath.flatMap(u32)];
  return [
    ...[WELL_KNOWN, ORIGIN, 1, origin],
    ...[WELL_KNOWN, AS_PATH, path.length, ...path],
    ...[WELL_KNOWN, NEXT_HOP, 4, ...u32(nextHop)],
    ...(localPreference === undefined ? [] : [WELL_KNOWN, LOCAL_PREF, 4, ...u32(localPreference)]),
    ...(originatorId === undefined ? [] : [OPTIONAL, ORIGINATOR_ID, 4, ...u32(originatorId)]),
    ...(clusterList === undefined ? [] : [OPTIONAL, CLUSTER_LIST, clusterList.length * 4, ...clusterList.flatMap(u32)]),
  ];
}

function prefixBytes({ address, prefixLength }: IpPrefix): number[] {
  return [prefixLength, ...u32(address).slice(0, Math.ceil(prefixLength / 8))];
}

function u16(value: number): number[] {
  return [value >>> 8, value & 0xff];
}

function u32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

/** The length of the message that begins here; undefined while its header is not whole. Throws BgpError. */
export function messageLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  for (let i = 0; i < MARKER_BYTES; i++) {
    if (bytes[i] !== 0xff)
      throw new BgpError(HEADER_ERROR.code, HEADER_ERROR.notSynchronized, 'the marker is not all ones');
  }
  const length = (bytes[MARKER_BYTES]! << 8) | bytes[MARKER_BYTES + 1]!;
  if (length < HEADER_BYTES || length > MAX_MESSAGE_BYTES) {
    throw new BgpError(HEADER_ERROR.code, HEADER_ERROR.badLength, `a length of ${length}`);
  }
  return length;
}

/** A whole message, header included. Throws BgpError. */
export function decodeMessage(bytes: Uint8Array): BgpMessage {
  const type = bytes[HEADER_BYTES - 1]!;
  const body = new Reader(bytes.subarray(HEADER_BYTES));
  switch (type) {
    case TYPE_OPEN:
      return decodeOpen(body);
    case TYPE_UPDATE:
      return decodeUpdate(body);
    case TYPE_NOTIFICATION:
      return { kind: 'notification', code: body.u8(), subcode: body.u8() };
    case TYPE_KEEPALIVE:
      if (body.left > 0) throw new BgpError(HEADER_ERROR.code, HEADER_ERROR.badLength, 'a KEEPALIVE with a body');
      return { kind: 'keepalive' };
    default:
      throw new BgpError(HEADER_ERROR.code, HEADER_ERROR.badType, `a message of type ${type}`);
  }
}

function decodeOpen(body: Reader): OpenMessage {
  const version = body.u8();
  if (version !== VERSION) throw new BgpError(OPEN_ERROR.code, OPEN_ERROR.unsupportedVersion, `version ${version}`);
  const shortAs = body.u16();
  const holdTimeSeconds = body.u16();
  const identifier = body.u32();
  const parameters = body.part(body.u8());
  let as = shortAs;
  while (parameters.left > 0) {
    const kind = parameters.u8();
    const parameter = parameters.part(parameters.u8());
    while (kind === PARAMETER_CAPABILITIES && parameter.left > 0) {
      const code = parameter.u8();
      const capability = parameter.part(parameter.u8());
      if (code === CAPABILITY_FOUR_OCTET_AS) as = capability.u32();
    }
  }
  return { kind: 'open', as, holdTimeSeconds, identifier };
}

function decodeUpdate(body: Reader): UpdateMessage {
  const withdrawn = prefixes(body.part(body.u16()));
  const attributePart = body.part(body.u16());
  const reachable = prefixes(body);
  if (attributePart.left === 0) {
    if (reachable.length > 0)
      throw new BgpError(UPDATE_ERROR.code, UPDATE_ERROR.missingAttribute, 'no path attributes');
    return { kind: 'update', withdrawn, reachable, attributes: undefined };
  }
  return { kind: 'update', withdrawn, reachable, attributes: decodeAttributes(attributePart) };
}

function decodeAttributes(part: Reader): PathAttributes {
  let origin: PathAttributes['origin'] | undefined;
  let nextHop: number | undefined;
  let localPreference: number | undefined;
  let originatorId: number | undefined;
  let clusterList: number[] | undefined;
  const asPath: number[] = [];
  while (part.left > 0) {
    const flags = part.u8();
    const type = part.u8();
    const value = part.part(flags & EXTENDED_LENGTH ? part.u16() : part.u8());
    if (type === ORIGIN) origin = Math.min(value.u8(), 2) as PathAttributes['origin'];
    else if (type === AS_PATH) asPath.push(...decodeAsPath(value));
    else if (type === NEXT_HOP) nextHop = value.u32();
    else if (type === LOCAL_PREF) localPreference = value.u32();
    else if (type === ORIGINATOR_ID) originatorId = value.u32();
    else if (type === CLUSTER_LIST) {
      clusterList = [];
      while (value.left > 0) clusterList.push(value.u32());
    }
  }
  if (origin === undefined || nextHop === undefined) {
    throw new BgpError(UPDATE_ERROR.code, UPDATE_ERROR.missingAttribute, 'no ORIGIN or NEXT_HOP');
  }
  return {
    origin,
    asPath,
    nextHop,
    localPreference,
    ...(originatorId === undefined ? {} : { originatorId }),
    ...(clusterList === undefined ? {} : { clusterList }),
  };
}

function decodeAsPath(value: Reader): number[] {
  const path: number[] = [];
  while (value.left > 0) {
    value.u8(); // a sequence, or a set, of which the order does not matter here
    const count = value.u8();
    for (let i = 0; i < count; i++) path.push(value.u32());
  }
  return path;
}

function prefixes(part: Reader): IpPrefix[] {
  const found: IpPrefix[] = [];
  while (part.left > 0) {
    const prefixLength = part.u8();
    if (prefixLength > 32)
      throw new BgpError(UPDATE_ERROR.code, UPDATE_ERROR.badNetwork, `a prefix of /${prefixLength}`);
    let address = 0;
    for (let i = 0; i < 4; i++) address = address * 256 + (8 * i < prefixLength ? part.u8() : 0);
    found.push({ address: networkOf(address, prefixLength), prefixLength });
  }
  return found;
}

/** Reads in order; what is too short breaks the protocol. */
class Reader {
  private readonly bytes: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  u8(): number {
    return this.take(1)[0]!;
  }

  u16(): number {
    const [high, low] = this.take(2);
    return (high! << 8) | low!;
  }

  u32(): number {
    return this.u16() * 0x1_0000 + this.u16();
  }

  part(length: number): Reader {
    return new Reader(this.take(length));
  }

  private take(length: number): Uint8Array {
    if (length > this.left) throw new BgpError(UPDATE_ERROR.code, UPDATE_ERROR.malformedAttributes, 'cut off');
    const taken = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return taken;
  }
}
