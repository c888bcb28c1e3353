/**
 * Names between their form on the wire and text (RFC 1035 sections 3.1 and 5.1): in text a dot within a label is `\.`, a
 * backslash `\\`, and what is no printable ASCII `\DDD`, so that two names are equal as texts only when they are on the wire.
 */

export const MAX_NAME_BYTES = 255;
export const MAX_LABEL_BYTES = 63;

const DOT = 0x2e;
const BACKSLASH = 0x5c;
const scratch = Buffer.alloc(MAX_NAME_BYTES);

export interface WireName {
  /** As it was written, without the final dot; empty for the root. */
  readonly text: string;
  /** The offset behind it. */
  readonly end: number;
}

/** An uncompressed name; undefined when it is cut short, longer than 255 bytes or has a pointer. */
export function readName(bytes: Uint8Array, start: number): WireName | undefined {
  let at = start;
  let plain = true;
  for (let length = bytes[at]; length !== 0; length = bytes[at]) {
    // Pointers and the labels that never were (RFC 6891 section 5) have the upper bits set.
    if (length === undefined || length > MAX_LABEL_BYTES) return undefined;
    const end = at + 1 + length;
    if (end >= bytes.length || end - start >= MAX_NAME_BYTES) return undefined;
    if (at > start) scratch[at - start - 1] = DOT;
    for (let i = at + 1; i < end; i++) {
      const byte = bytes[i] as number;
      if (byte <= 0x20 || byte > 0x7e || byte === DOT || byte === BACKSLASH) plain = false;
      scratch[i - start - 1] = byte;
    }
    at = end;
  }
  const text = plain ? scratch.toString('latin1', 0, Math.max(0, at - start - 1)) : escapedText(bytes, start);
  return { text, end: at + 1 };
}

function escapedText(bytes: Uint8Array, start: number): string {
  const labels: string[] = [];
  for (let at = start; bytes[at] !== 0; at += 1 + (bytes[at] as number)) {
    labels.push(Array.from(bytes.subarray(at + 1, at + 1 + (bytes[at] as number)), escapedByte).join(''));
  }
  return labels.join('.');
}

function escapedByte(byte: number): string {
  if (byte === DOT || byte === BACKSLASH) return `\\${String.fromCharCode(byte)}`;
  if (byte <= 0x20 || byte > 0x7e) return `\\${String(byte).padStart(3, '0')}`;
  return String.fromCharCode(byte);
}

/** The first label's bytes and the text behind its dot (undefined when it is the last one). */
export function splitLabel(name: string): { readonly label: Uint8Array; readonly rest: string | undefined } {
  if (!name.includes('\\')) {
    const dot = name.indexOf('.');
    if (dot === -1) return { label: Buffer.from(name), rest: undefined };
    return { label: Buffer.from(name.slice(0, dot)), rest: name.slice(dot + 1) };
  }
  const bytes: number[] = [];
  for (let at = 0; at < name.length; at++) {
    const character = name[at] as string;
    if (character === '.') return { label: Uint8Array.from(bytes), rest: name.slice(at + 1) };
    if (character !== '\\') bytes.push(...Buffer.from(character));
    else if (/^\d{3}$/.test(name.slice(at + 1, at + 4))) {
      bytes.push(Number(name.slice(at + 1, at + 4)) & 255);
      at += 3;
    } else bytes.push(...Buffer.from(name[++at] ?? ''));
  }
  return { label: Uint8Array.from(bytes), rest: undefined };
}
