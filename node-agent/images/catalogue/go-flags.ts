/** Command lines of programs written in Go: `--name=value`, `-name value`, switches with or without `=true`. */
import { UsageError } from '../coreutils/options.ts';

export type FlagValues = Readonly<Record<string, string | number | boolean>>;

type Widened<Defaults extends FlagValues> = {
  readonly [Name in keyof Defaults]: Defaults[Name] extends number
    ? number
    : Defaults[Name] extends boolean
      ? boolean
      : string;
};

export interface GoFlags<Defaults extends FlagValues> {
  readonly flags: Widened<Defaults>;
  readonly operands: readonly string[];
}

/** `defaults` says which flags exist and, by its values, of which type; throws `UsageError`. */
export function parseGoFlags<Defaults extends FlagValues>(
  args: readonly string[],
  defaults: Defaults,
): GoFlags<Defaults> {
  const flags: Record<string, string | number | boolean> = { ...defaults };
  const operands: string[] = [];
  const rest = [...args];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      operands.push(...rest);
      break;
    }
    const [, name, , value] = /^--?([^=-][^=]*)(=(.*))?$/s.exec(word) ?? [];
    if (name === undefined) operands.push(word);
    else flags[name] = flagValue(name, value, defaults[name], rest);
  }
  // Every name has kept the type of its default.
  return { flags: flags as Widened<Defaults>, operands };
}

function flagValue(
  name: string,
  given: string | undefined,
  standard: string | number | boolean | undefined,
  rest: string[],
): string | number | boolean {
  if (standard === undefined) throw new UsageError(`unknown flag: --${name}`);
  if (typeof standard === 'boolean') return booleanOf(name, given ?? 'true');
  const value = given ?? rest.shift();
  if (value === undefined) throw new UsageError(`flag needs an argument: --${name}`);
  if (typeof standard === 'string') return value;
  if (!/^-?\d+$/.test(value)) throw new UsageError(`invalid argument "${value}" for "--${name}": not a whole number`);
  return Number(value);
}

function booleanOf(name: string, value: string): boolean {
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw new UsageError(`invalid argument "${value}" for "--${name}": neither true nor false`);
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds of `1m30s`, `250ms`, `0`; undefined for text that is no duration. */
export function parseGoDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    totalMs += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0);
  }
  return totalMs;
}
