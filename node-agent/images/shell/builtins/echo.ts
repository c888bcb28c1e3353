/** `echo` (busybox: `-n`, `-e`, `-E`) and `printf` (POSIX, with `%b`, `%q` and repeated formats). */
import { pieceOfEscape } from '../escape.ts';
import type { Builtin } from './builtin.ts';

export const echo: Builtin = async (shell, args) => {
  let newline = true;
  let escapes = false;
  let first = 0;
  for (; /^-[neE]+$/.test(args[first] ?? ''); first++) {
    for (const letter of (args[first] ?? '').slice(1)) {
      if (letter === 'n') newline = false;
      else escapes = letter === 'e';
    }
  }
  let text = args.slice(first).join(' ');
  if (escapes) {
    const { output, stopped } = interpretEscapes(text);
    text = output;
    if (stopped) newline = false;
  }
  await shell.write(1, newline ? `${text}\n` : text);
  return 0;
};

function interpretEscapes(text: string): { output: string; stopped: boolean } {
  let output = '';
  for (let index = 0; index < text.length; ) {
    if (text.charAt(index) !== '\\') {
      output += text.charAt(index++);
      continue;
    }
    const piece = pieceOfEscape(text, index, true);
    if (piece.stop) return { output, stopped: true };
    output += piece.text;
    index += piece.length;
  }
  return { output, stopped: false };
}

export const printf: Builtin = async (shell, args) => {
  const rest = args[0] === '--' ? args.slice(1) : args;
  const [format, ...values] = rest;
  if (format === undefined) {
    await shell.complain('printf: usage: printf FORMAT [ARG]...');
    return 2;
  }
  const run = new FormatRun(values);
  do run.pass(format);
  while (!run.stopped && run.consumed > 0 && run.remaining > 0);
  await shell.write(1, run.output);
  for (const error of run.errors) await shell.complain(`printf: ${error}`);
  return run.errors.length > 0 ? 1 : 0;
};

const DIRECTIVE = /^%([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+)?)?(?:[hlLqjzt]*)([diouxXeEfFgGcsbq%])/;

class FormatRun {
  output = '';
  stopped = false;
  consumed = 0;
  readonly errors: string[] = [];
  private readonly values: string[];

  constructor(values: readonly string[]) {
    this.values = [...values];
  }

  get remaining(): number {
    return this.values.length;
  }

  pass(format: string): void {
    this.consumed = 0;
    for (let index = 0; index < format.length && !this.stopped; ) {
      const character = format.charAt(index);
      if (character === '\\') {
        const piece = pieceOfEscape(format, index, false);
        if (piece.stop) this.stopped = true;
        else this.output += piece.text;
        index += piece.length;
        continue;
      }
      const directive = character === '%' ? DIRECTIVE.exec(format.slice(index)) : null;
      if (directive === null) {
        if (character === '%') {
          this.errors.push(`${format.slice(index)}: invalid format`);
          this.stopped = true;
          return;
        }
        this.output += character;
        index += 1;
        continue;
      }
      this.convert(directive);
      index += directive[0].length;
    }
  }

  private next(): string {
    this.consumed += 1;
    return this.values.shift() ?? '';
  }

  private convert(directive: RegExpExecArray): void {
    const [, flags = '', widthText, precisionText, conversion = ''] = directive;
    if (conversion === '%') {
      this.output += '%';
      return;
    }
    const width = widthText === '*' ? Number(this.next()) : Number(widthText ?? 0);
    const hasPrecision = directive[0].includes('.');
    const precision = precisionText === '*' ? Number(this.next()) : Number(precisionText ?? 0);
    const text = this.format(conversion, flags, hasPrecision ? precision : undefined);
    const left = flags.includes('-') || width < 0;
    const zero =
      flags.includes('0') && !left && !'scbq'.includes(conversion) && !(hasPrecision && 'diouxX'.includes(conversion));
    this.output += pad(text, Math.abs(width), left, zero);
  }

  private format(conversion: string, flags: string, precision: number | undefined): string {
    switch (conversion) {
      case 's':
        return this.next().slice(0, precision);
      case 'b': {
        const { output, stopped } = interpretEscapes(this.next());
        if (stopped) this.stopped = true;
        return output;
      }
      case 'q': {
        const value = this.next();
        return /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
      }
      case 'c':
        return this.next().charAt(0);
      case 'd':
      case 'i':
      case 'u':
      case 'o':
      case 'x':
      case 'X':
        return integerText(this.integer(), conversion, flags, precision);
      default:
        return floatText(this.float(), conversion, flags, precision ?? 6);
    }
  }

  private integer(): bigint {
    const text = this.next().trim();
    if (text === '') return 0n;
    if (/^["']/.test(text)) return BigInt(text.codePointAt(1) ?? 0);
    const match = /^([-+]?)(0[xX][0-9a-fA-F]+|0[0-7]+|\d+)/.exec(text);
    if (match === null || match[0].length !== text.length) this.errors.push(`${text}: invalid number`);
    if (match === null) return 0n;
    const digits = match[2] ?? '0';
    const value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
    return match[1] === '-' ? -value : value;
  }

  private float(): number {
    const text = this.next().trim();
    const value = text === '' ? 0 : Number(text);
    if (!Number.isNaN(value)) return value;
    this.errors.push(`${text}: invalid number`);
    return Number.parseFloat(text) || 0;
  }
}

function integerText(value: bigint, conversion: string, flags: string, precision: number | undefined): string {
  const negative = value < 0n;
  const magnitude = negative && 'uoxX'.includes(conversion) ? BigInt.asUintN(64, value) : negative ? -value : value;
  const base = conversion === 'o' ? 8 : conversion === 'x' || conversion === 'X' ? 16 : 10;
  let digits = magnitude.toString(base).padStart(precision ?? 0, '0');
  if (flags.includes('#') && base === 16 && magnitude !== 0n) digits = `0x${digits}`;
  if (flags.includes('#') && base === 8) digits = `0${digits}`;
  if (conversion === 'X') digits = digits.toUpperCase();
  const sign =
    negative && !'uoxX'.includes(conversion) ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  return sign + digits;
}

export function floatText(value: number, conversion: string, flags: string, precision: number): string {
  const sign = value < 0 || Object.is(value, -0) ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  const magnitude = Math.abs(value);
  if (!Number.isFinite(magnitude)) return sign + (Number.isNaN(value) ? 'nan' : 'inf');
  let text: string;
  if (conversion === 'f' || conversion === 'F') text = magnitude.toFixed(precision);
  else if (conversion === 'e' || conversion === 'E') text = exponential(magnitude.toExponential(precision));
  else text = general(magnitude, precision === 0 ? 1 : precision, flags.includes('#'));
  return sign + (conversion === 'E' || conversion === 'G' ? text.toUpperCase() : text);
}

function general(value: number, precision: number, keepZeros: boolean): string {
  const exponent = value === 0 ? 0 : Number(value.toExponential(precision - 1).split('e')[1]);
  if (exponent < -4 || exponent >= precision) {
    const text = value.toExponential(precision - 1);
    return exponential(keepZeros ? text : text.replace(/\.?0+e/, 'e'));
  }
  const text = value.toFixed(precision - 1 - exponent);
  return keepZeros || !text.includes('.') ? text : text.replace(/\.?0+$/, '');
}

/** C writes at least two digits of exponent. */
function exponential(text: string): string {
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}

function pad(text: string, width: number, left: boolean, zero: boolean): string {
  if (left) return text.padEnd(width);
  if (!zero) return text.padStart(width);
  const sign = /^[-+ ]?(0x)?/i.exec(text)?.[0] ?? '';
  return sign + text.slice(sign.length).padStart(width - sign.length, '0');
}
