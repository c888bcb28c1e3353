/** Reading a directive's words, with errors that say what was expected. */
import { CorefileError, type Directive } from './corefile.ts';
import { RCODES, type Rcode } from './message.ts';

export function wrong(directive: Directive, expected: string): CorefileError {
  const words = [directive.name, ...directive.words].join(' ');
  return new CorefileError(directive, `'${words}' is not understood: expected ${expected}`);
}

/** Refuses arguments beyond `most` and below `least`. */
export function expectWords(directive: Directive, least: number, most: number, expected: string): void {
  if (directive.words.length < least || directive.words.length > most) throw wrong(directive, expected);
}

export function unknownProperty(property: Directive, known: readonly string[]): CorefileError {
  return new CorefileError(property, `unknown property '${property.name}': expected one of ${known.join(', ')}`);
}

export function integerWord(directive: Directive, index: number, least: number, most: number): number {
  const text = directive.words[index] ?? '';
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw wrong(directive, `a whole number from ${least} to ${most} instead of '${text}'`);
  }
  return value;
}

/** `nxdomain` */
export function rcodeWord(directive: Directive, index: number): Rcode {
  const names = Object.keys(RCODES) as Rcode[];
  const found = names.find((name) => name === directive.words[index]?.toUpperCase());
  if (found === undefined) throw wrong(directive, `one of ${names.join(', ')}`);
  return found;
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** `5s`, `1m30s`, `500ms`, `0` in milliseconds: what Go takes for a duration, without a sign. */
export function durationWord(directive: Directive, index: number): number {
  const text = directive.words[index] ?? '';
  if (text === '0') return 0;
  if (!/^((\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))+$/.test(text)) {
    throw wrong(directive, `a duration such as 5s instead of '${text}'`);
  }
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g)) {
    totalMs += Number(amount) * (UNITS_MS[unit ?? 's'] ?? 0);
  }
  return totalMs;
}
