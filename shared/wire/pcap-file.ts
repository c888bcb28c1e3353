/**
 * Classic capture files (draft-ietf-opsawg-pcap), as `tcpdump -w` writes them: a file header, then a header and the bytes of
 * each packet. Written little-endian with microseconds; read in either byte order, with micro- or nanoseconds.
 *
 *   0       4         8    12   16          20          24
 *   | magic | 2 | 4   | 0  | 0  | snapshot  | link type |
 *   | seconds | fraction | bytes kept | bytes on the wire | packet ...
 */

export const FILE_HEADER_BYTES = 24;
export const RECORD_HEADER_BYTES = 16;
export const LINK_TYPE_ETHERNET = 1;
/** Linux cooked capture v2: what a capture of all devices is written as. */
export const LINK_TYPE_COOKED = 276;

const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;

export function fileHeader(snapBytes: number, linkType = LINK_TYPE_ETHERNET): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FILE_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC_MICROSECONDS, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, snapBytes, true);
  view.setUint32(20, linkType, true);
  return bytes;
}

export interface FileRecord {
  /** Nanoseconds since 1970. */
  readonly timestampNs: bigint;
  /** The bytes kept. */
  readonly bytes: Uint8Array;
  /** Bytes of the frame on the wire. */
  readonly wireBytes: number;
}

export function fileRecord({ timestampNs, bytes, wireBytes }: FileRecord): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(RECORD_HEADER_BYTES + bytes.length);
  const view = new DataView(record.buffer);
  view.setUint32(0, Number(timestampNs / 1_000_000_000n), true);
  view.setUint32(4, Number((timestampNs % 1_000_000_000n) / 1000n), true);
  view.setUint32(8, bytes.length, true);
  view.setUint32(12, wireBytes, true);
  record.set(bytes, RECORD_HEADER_BYTES);
  return record;
}

export interface FileFormat {
  readonly littleEndian: boolean;
  readonly nanoseconds: boolean;
  readonly snapBytes: number;
  readonly linkType: number;
}

/** What the first bytes of a file say; undefined when it is no such file. */
export function readFileHeader(bytes: Uint8Array): FileFormat | undefined {
  if (bytes.length < FILE_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const littleEndian of [true, false]) {
    const magic = view.getUint32(0, littleEndian);
    if (magic !== MAGIC_MICROSECONDS && magic !== MAGIC_NANOSECONDS) continue;
    return {
      littleEndian,
      nanoseconds: magic === MAGIC_NANOSECONDS,
      snapBytes: view.getUint32(16, littleEndian),
      linkType: view.getUint32(20, littleEndian) & 0xffff,
    };
  }
  return undefined;
}

/** The record at `offset` and where the next one starts; undefined when the bytes end before it does. */
export function readFileRecord(
  bytes: Uint8Array,
  offset: number,
  format: FileFormat,
): { readonly record: FileRecord; readonly next: number } | undefined {
  const start = offset + RECORD_HEADER_BYTES;
  if (start > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { littleEndian } = format;
  const kept = view.getUint32(offset + 8, littleEndian);
  if (start + kept > bytes.length) return undefined;
  const fraction = BigInt(view.getUint32(offset + 4, littleEndian)) * (format.nanoseconds ? 1n : 1000n);
  const timestampNs = BigInt(view.getUint32(offset, littleEndian)) * 1_000_000_000n + fraction;
  const wireBytes = view.getUint32(offset + 12, littleEndian);
  return { record: { timestampNs, bytes: bytes.subarray(start, start + kept), wireBytes }, next: start + kept };
}
