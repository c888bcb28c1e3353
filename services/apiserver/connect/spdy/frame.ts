/** SPDY/3.1 framing (draft-mbelshe-httpbis-spdy-00 section 2.2, SPDY/3.1 section 2.6). Numbers are big-endian. */

export const SYN_STREAM = 1;
export const SYN_REPLY = 2;
export const RST_STREAM = 3;
export const PING = 6;
export const GOAWAY = 7;

export const FLAG_FIN = 0x01;

export const RST_PROTOCOL_ERROR = 1;
export const RST_INVALID_STREAM = 2;
export const RST_REFUSED_STREAM = 3;
export const RST_CANCEL = 5;

export const FRAME_HEADER_BYTES = 8;
/** The largest frame that a client may send. The field has 24 bits; Kubernetes clients send at most 32 KiB. */
export const MAX_FRAME_BYTES = 1024 * 1024;

const SPDY_VERSION = 3;
const CONTROL_BIT = 0x8000;

export type Frame =
  | { readonly kind: 'data'; readonly streamId: number; readonly flags: number; readonly payload: Buffer }
  | { readonly kind: 'control'; readonly type: number; readonly flags: number; readonly payload: Buffer };

/** Why the bytes cannot be SPDY/3.1; the connection is closed with it. */
export class SpdyError extends Error {
  override readonly name = 'SpdyError';
}

/** Cuts a byte stream into frames. */
export class FrameParser {
  private pending: Buffer = Buffer.alloc(0);

  /** The frames that are complete with `chunk`. Throws SpdyError for another version or a frame that is too long. */
  push(chunk: Buffer): Frame[] {
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    const frames: Frame[] = [];
    for (;;) {
      const length = this.completeLength();
      if (length === undefined) return frames;
      frames.push(toFrame(this.pending.subarray(0, length)));
      this.pending = this.pending.subarray(length);
    }
  }

  private completeLength(): number | undefined {
    if (this.pending.length < FRAME_HEADER_BYTES) return undefined;
    const length = FRAME_HEADER_BYTES + this.pending.readUIntBE(5, 3);
    if (length > MAX_FRAME_BYTES) throw new SpdyError(`a frame of ${length} bytes is over ${MAX_FRAME_BYTES}`);
    return this.pending.length < length ? undefined : length;
  }
}

function toFrame(bytes: Buffer): Frame {
  const first = bytes.readUInt16BE(0);
  const flags = bytes[4]!;
  const payload = bytes.subarray(FRAME_HEADER_BYTES);
  if ((first & CONTROL_BIT) === 0) return { kind: 'data', streamId: bytes.readUInt32BE(0), flags, payload };
  const version = first & ~CONTROL_BIT;
  if (version !== SPDY_VERSION) throw new SpdyError(`SPDY version ${version} is not spoken here`);
  return { kind: 'control', type: bytes.readUInt16BE(2), flags, payload };
}

export function controlFrame(type: number, flags: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUInt16BE(CONTROL_BIT | SPDY_VERSION, 0);
  header.writeUInt16BE(type, 2);
  header.writeUInt32BE(((flags << 24) | payload.length) >>> 0, 4);
  return Buffer.concat([header, payload]);
}

export function dataFrame(streamId: number, flags: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUInt32BE(streamId, 0);
  header.writeUInt32BE(((flags << 24) | payload.length) >>> 0, 4);
  return Buffer.concat([header, payload]);
}

/** The payload of RST_STREAM and GOAWAY. */
export function streamStatus(streamId: number, status: number): Buffer {
  const payload = Buffer.alloc(8);
  payload.writeUInt32BE(streamId, 0);
  payload.writeUInt32BE(status, 4);
  return payload;
}
