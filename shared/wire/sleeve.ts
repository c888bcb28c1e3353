/**
 * weave's sleeve: Ethernet frames in a UDP datagram (port 6783), several in one. Each names the peers between which it goes, which
 * need not be the two that the datagram goes between.
 *
 *   0                   6         14
 *   | the sender's name | counter | frames (sealed) | 16 bytes of tag |     counter and tag where it is encrypted
 *
 *   frame: | source's name (6) | destination's name (6) | hops (4 bits), length (12 bits) | frame |
 */
import { destination as name, writeMac as setName } from './ethernet.ts';

export const PORT = 6783;
export const NAME_BYTES = 6;
export const COUNTER_BYTES = 8;
export const TAG_BYTES = 16;
export const FRAME_HEADER_BYTES = 2 * NAME_BYTES + 2;
export const MAX_FRAME_BYTES = 0xfff;
/** Peers that a frame may pass on its way. */
export const MAX_HOPS = 14;
/** In the place of hops: no frame of a pod's, but one peer's word to the other. */
export const SPECIAL = 15;

const SIZE = 2 * NAME_BYTES;
const WORD = 2 ** 32;

/** Bytes before the first frame. */
export function headerBytes(isEncrypted: boolean): number {
  return isEncrypted ? NAME_BYTES + COUNTER_BYTES : NAME_BYTES;
}

/** Of a datagram, beside its frames. */
export function overheadBytes(isEncrypted: boolean): number {
  return isEncrypted ? NAME_BYTES + COUNTER_BYTES + TAG_BYTES : NAME_BYTES;
}

/** Of who sent the datagram: a MAC address. */
export const sender = name;
export const setSender = setName;

export function counter(view: DataView, offset: number): number {
  return view.getUint32(offset + NAME_BYTES) * WORD + view.getUint32(offset + NAME_BYTES + 4);
}

export function setCounter(view: DataView, offset: number, count: number): void {
  view.setUint32(offset + NAME_BYTES, Math.floor(count / WORD));
  view.setUint32(offset + NAME_BYTES + 4, count % WORD);
}

/** What stands before a frame. */
export interface FrameHeader {
  readonly source: number;
  readonly destination: number;
  readonly hops: number;
  readonly length: number;
}

/** Undefined for a frame that is not whole within `length` bytes. */
export function frameHeader(view: DataView, offset: number, length: number): FrameHeader | undefined {
  if (length < FRAME_HEADER_BYTES) return undefined;
  const size = view.getUint16(offset + SIZE);
  const frameBytes = size & MAX_FRAME_BYTES;
  if (FRAME_HEADER_BYTES + frameBytes > length) return undefined;
  const [source, destination] = [name(view, offset), name(view, offset + NAME_BYTES)];
  return { source, destination, hops: size >>> 12, length: frameBytes };
}

export function encodeFrameHeader(view: DataView, offset: number, header: FrameHeader): void {
  setName(view, offset, header.source);
  setName(view, offset + NAME_BYTES, header.destination);
  view.setUint16(offset + SIZE, (header.hops << 12) | header.length);
}
