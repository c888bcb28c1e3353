/** `-x`, `-X` and `-A`: the bytes of a packet. */
import type { Piece } from './print-options.ts';

const BYTES_A_LINE = 16;
const HEX_WIDTH = 39;

/** `\t0x0000:  4500 003c ...`, with the characters beside it when `ascii`. */
export function hexLines({ view, at, end }: Piece, ascii: boolean): string[] {
  const lines: string[] = [];
  for (let start = at; start < end; start += BYTES_A_LINE) {
    const bytes = bytesOf(view, start, Math.min(end, start + BYTES_A_LINE));
    const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
    const groups = (hex.match(/.{1,4}/g) ?? []).join(' ');
    const offset = `\t0x${(start - at).toString(16).padStart(4, '0')}:  `;
    lines.push(ascii ? `${offset}${groups.padEnd(HEX_WIDTH)}  ${bytes.map(character).join('')}` : `${offset}${groups}`);
  }
  return lines;
}

/** The bytes as text; blanks, tabs and line feeds stay, and the carriage return before a line feed goes. */
export function asciiText({ view, at, end }: Piece): string {
  return bytesOf(view, at, end)
    .map((byte) =>
      byte === 0x0a || byte === 0x0d || byte === 0x09 || byte === 0x20 ? String.fromCharCode(byte) : character(byte),
    )
    .join('')
    .replaceAll('\r\n', '\n')
    .replaceAll('\r', '.');
}

function bytesOf(view: DataView, start: number, end: number): number[] {
  return [...new Uint8Array(view.buffer, view.byteOffset + start, end - start)];
}

/** Everything but visible characters is a dot. */
function character(byte: number): string {
  return byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
}
