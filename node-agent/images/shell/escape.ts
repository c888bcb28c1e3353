/** Backslash escapes of `echo -e`, `printf` and `%b`. */

const SIMPLE: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  e: '\x1b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
};

export interface EscapePiece {
  readonly text: string;
  /** Characters of the source that it takes. */
  readonly length: number;
  /** `\c`: no more output. */
  readonly stop: boolean;
}

/** The escape that starts at `index` (a backslash). `zeroOctal`: octal numbers start with 0 (`echo`), else with any digit. */
export function pieceOfEscape(source: string, index: number, zeroOctal: boolean): EscapePiece {
  const letter = source.charAt(index + 1);
  const rest = source.slice(index + 1);
  if (letter === 'c') return { text: '', length: 2, stop: true };
  const simple = SIMPLE[letter];
  if (simple !== undefined) return { text: simple, length: 2, stop: false };
  const number = /^x([0-9a-fA-F]{1,2})/.exec(rest) ?? (zeroOctal ? /^0([0-7]{0,3})/ : /^([0-7]{1,3})/).exec(rest);
  if (number !== null) {
    const value = Number.parseInt(number[1] === '' ? '0' : (number[1] ?? '0'), letter === 'x' ? 16 : 8);
    return { text: String.fromCharCode(value & 255), length: 1 + number[0].length, stop: false };
  }
  const unicode = /^u([0-9a-fA-F]{1,4})|^U([0-9a-fA-F]{1,8})/.exec(rest);
  if (unicode !== null) {
    const value = Number.parseInt(unicode[1] ?? unicode[2] ?? '0', 16);
    return { text: String.fromCodePoint(Math.min(value, 0x10ffff)), length: 1 + unicode[0].length, stop: false };
  }
  return { text: `\\${letter}`, length: 2, stop: false };
}
