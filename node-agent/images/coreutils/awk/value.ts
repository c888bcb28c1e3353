/** awk's values: numbers, strings, and input that is both when it looks like a number (POSIX "numeric string"). */
import { UsageError } from '../options.ts';

/** A string that came from input and looks like a number compares as one. */
export class NumericString {
  readonly text: string;
  readonly number: number;

  constructor(text: string, number: number) {
    this.text = text;
    this.number = number;
  }
}

/** Undefined: never assigned. */
export type Value = number | string | NumericString | undefined;

export type AwkArray = Map<string, Value>;

const NUMBER = /^[ \t\n\r]*[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)/;

/** What a field, a `getline` or a `-v` gives. */
export function inputValue(text: string): Value {
  const match = NUMBER.exec(text);
  return match !== null && match[0].length === text.trimEnd().length ? new NumericString(text, Number(match[0])) : text;
}

export function toNumber(value: Value): number {
  if (typeof value === 'number') return value;
  if (value === undefined) return 0;
  if (value instanceof NumericString) return value.number;
  const match = NUMBER.exec(value);
  return match === null ? 0 : Number(match[0]);
}

/** Whole numbers in full, others by `%.6g` (OFMT, CONVFMT). */
export function numberText(value: number): string {
  if (Number.isInteger(value)) return Math.abs(value) < 1e16 ? String(value) : String(BigInt(value));
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  const exponent = Math.floor(Math.log10(Math.abs(value)));
  if (exponent < -5 || exponent >= 6) {
    return value
      .toExponential(5)
      .replace(/\.?0+e/, 'e')
      .replace(/e([+-])(\d)$/, 'e$10$2');
  }
  return String(Number(value.toPrecision(6)));
}

export function toText(value: Value): string {
  if (typeof value === 'string') return value;
  if (value === undefined) return '';
  return typeof value === 'number' ? numberText(value) : value.text;
}

export function isTrue(value: Value): boolean {
  if (typeof value === 'string') return value !== '';
  if (value instanceof NumericString) return value.number !== 0;
  return value !== undefined && value !== 0;
}

/** As numbers when both are numbers, unset or numeric input; otherwise as text. */
export function compareValues(left: Value, right: Value): number {
  if (typeof left !== 'string' && typeof right !== 'string') return toNumber(left) - toNumber(right);
  const [a, b] = [toText(left), toText(right)];
  return a === b ? 0 : a < b ? -1 : 1;
}

/** `+ - * / % ^`; throws `UsageError` for a division by zero. */
export function arithmetic(operator: string, left: number, right: number): number {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
    case '%':
      if (right === 0) throw new UsageError('division by zero');
      return operator === '/' ? left / right : left % right;
    default:
      return left ** right;
  }
}
