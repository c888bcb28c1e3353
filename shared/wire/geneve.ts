/**
 * Geneve (RFC 8926 section 3.4), over UDP like VXLAN, with options that say more about the inner frame.
 *
 *   0                    1                2       4     7          8
 *   | ver:2 opt length:6 | O C reserved:6 | type | VNI | reserved | options ... | inner frame ...
 *
 *   option:  0       2      3                 4
 *            | class | type | R:3 length:5   | data: length x 4 bytes
 */

export const HEADER_BYTES = 8;
export const OPTION_HEADER_BYTES = 4;
export const PORT = 6081;
/** Transparent Ethernet bridging: the payload is an Ethernet frame. */
export const TYPE_ETHERNET = 0x6558;
export const MAX_VNI = 0xff_ffff;
export const MAX_OPTIONS_BYTES = 252;

const FLAGS = 1;
const TYPE = 2;
const VNI_WORD = 4;
const FLAG_CONTROL = 0x80;
const FLAG_CRITICAL = 0x40;
const OPTION_CRITICAL = 0x80;

export interface GeneveOption {
  readonly class: number;
  /** 0 to 255; its high bit says that a receiver which does not know the option must drop the packet. */
  readonly type: number;
  /** A multiple of 4, at most 124. */
  readonly data: Uint8Array;
}

/** Version 0, and options whose lengths fill exactly the room that the header gives them. */
export function check(view: DataView, offset: number, length: number): boolean {
  if (length < HEADER_BYTES || offset + length > view.byteLength) return false;
  if (view.getUint8(offset) >>> 6 !== 0) return false;
  const end = offset + headerBytes(view, offset);
  if (end > offset + length) return false;
  let at = offset + HEADER_BYTES;
  while (at < end) {
    if (at + OPTION_HEADER_BYTES > end) return false;
    at += optionBytes(view, at);
  }
  return at === end;
}

/** Header with options. */
export function headerBytes(view: DataView, offset: number): number {
  return HEADER_BYTES + (view.getUint8(offset) & 0x3f) * 4;
}

/** Ethertype of the payload. */
export function type(view: DataView, offset: number): number {
  return view.getUint16(offset + TYPE);
}

export function vni(view: DataView, offset: number): number {
  return view.getUint32(offset + VNI_WORD) >>> 8;
}

/** O: a packet for the tunnel's end itself. */
export function isControl(view: DataView, offset: number): boolean {
  return (view.getUint8(offset + FLAGS) & FLAG_CONTROL) !== 0;
}

/** C: at least one option is critical. */
export function hasCriticalOptions(view: DataView, offset: number): boolean {
  return (view.getUint8(offset + FLAGS) & FLAG_CRITICAL) !== 0;
}

/** The options of a checked header, in their order; data is a view, not a copy. */
export function* options(view: DataView, offset: number): Generator<GeneveOption> {
  const end = offset + headerBytes(view, offset);
  for (let at = offset + HEADER_BYTES; at < end; at += optionBytes(view, at)) {
    const data = at + OPTION_HEADER_BYTES;
    yield {
      class: view.getUint16(at),
      type: view.getUint8(at + 2),
      data: new Uint8Array(view.buffer, view.byteOffset + data, optionBytes(view, at) - OPTION_HEADER_BYTES),
    };
  }
}

export interface GeneveHeader {
  readonly vni: number;
  /** TYPE_ETHERNET by default. */
  readonly type?: number;
  readonly control?: boolean;
  readonly options?: readonly GeneveOption[];
}

/** Writes header and options; the number of their bytes. Throws when options are longer than the format allows. */
export function encode(view: DataView, offset: number, header: GeneveHeader): number {
  const all = header.options ?? [];
  const critical = all.some((option) => (option.type & OPTION_CRITICAL) !== 0);
  let at = offset + HEADER_BYTES;
  for (const option of all) at += writeOption(view, at, option);
  const size = at - offset;
  if (size - HEADER_BYTES > MAX_OPTIONS_BYTES) throw new Error(`Geneve options of ${size - HEADER_BYTES} bytes`);
  view.setUint8(offset, (size - HEADER_BYTES) / 4);
  view.setUint8(offset + FLAGS, (header.control ? FLAG_CONTROL : 0) | (critical ? FLAG_CRITICAL : 0));
  view.setUint16(offset + TYPE, header.type ?? TYPE_ETHERNET);
  view.setUint32(offset + VNI_WORD, header.vni << 8);
  return size;
}

function writeOption(view: DataView, at: number, option: GeneveOption): number {
  const { data } = option;
  if (data.length % 4 !== 0 || data.length > 124) throw new Error(`a Geneve option of ${data.length} bytes`);
  view.setUint16(at, option.class);
  view.setUint8(at + 2, option.type);
  view.setUint8(at + 3, data.length / 4);
  for (const [index, value] of data.entries()) view.setUint8(at + OPTION_HEADER_BYTES + index, value);
  return OPTION_HEADER_BYTES + data.length;
}

function optionBytes(view: DataView, at: number): number {
  return OPTION_HEADER_BYTES + (view.getUint8(at + 3) & 0x1f) * 4;
}
