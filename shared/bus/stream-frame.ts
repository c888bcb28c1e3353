/**
 * Frames of a byte stream over the bus:
 *
 *   0      1        2                 6
 *   | type | channel | sequence (u32) | payload ...
 *
 * `data`: bytes. `end`: no more data on the channel. `credit`: u32, bytes of the channel that were consumed.
 * `close`: a failure in MessagePack, or nothing. `ping`: nothing. Every frame counts in `sequence`, so that loss shows.
 */

export const FRAME_TYPES = ['data', 'end', 'credit', 'close', 'ping'] as const;
export type FrameType = (typeof FRAME_TYPES)[number];

export interface Frame {
  readonly type: FrameType;
  readonly channel: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

const HEADER_LENGTH = 6;
const SEQUENCE_OFFSET = 2;

export function encodeFrame(type: FrameType, channel: number, sequence: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_LENGTH + payload.length);
  bytes[0] = FRAME_TYPES.indexOf(type);
  bytes[1] = channel;
  new DataView(bytes.buffer).setUint32(SEQUENCE_OFFSET, sequence >>> 0);
  bytes.set(payload, HEADER_LENGTH);
  return bytes;
}

/** The payload is a view into `bytes`. Undefined when it is no frame. */
export function decodeFrame(bytes: Uint8Array): Frame | undefined {
  const type = FRAME_TYPES[bytes[0] ?? -1];
  if (type === undefined || bytes.length < HEADER_LENGTH) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    type,
    channel: view.getUint8(1),
    sequence: view.getUint32(SEQUENCE_OFFSET),
    payload: bytes.subarray(HEADER_LENGTH),
  };
}

export function encodeCredit(byteCount: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, byteCount);
  return bytes;
}

/** 0 when the payload is no credit. */
export function decodeCredit(payload: Uint8Array): number {
  if (payload.length < 4) return 0;
  return new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getUint32(0);
}
