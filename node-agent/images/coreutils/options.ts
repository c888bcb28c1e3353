/** Command-line options as getopt reads them: clusters (`-la`), values attached or apart (`-n5`, `-n 5`), long ones, `--`. */

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface OptionSpec {
  /** Letters without a value. */
  readonly flags?: string;
  /** Letters with a value. */
  readonly values?: string;
  /** Long name -> what it means: a letter, or its own name when it has none. `name=` takes a value. */
  readonly long?: Readonly<Record<string, string>>;
  /** Options may stand between operands (GNU); false stops at the first operand. */
  readonly permute?: boolean;
}

export class ParsedOptions {
  readonly operands: string[] = [];
  private readonly found = new Map<string, string[]>();

  has(name: string): boolean {
    return this.found.has(name);
  }

  /** The last value given. */
  value(name: string): string | undefined {
    return this.found.get(name)?.at(-1);
  }

  values(name: string): readonly string[] {
    return this.found.get(name) ?? [];
  }

  add(name: string, value: string): void {
    const values = this.found.get(name);
    if (values === undefined) this.found.set(name, [value]);
    else values.push(value);
  }

  /** A value that must be a whole number. */
  number(name: string): number | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (!/^[-+]?\d+$/.test(value)) throw new UsageError(`invalid number '${value}'`);
    return Number(value);
  }
}

/** Throws `UsageError` in getopt's words. */
export function parseOptions(args: readonly string[], spec: OptionSpec): ParsedOptions {
  const parsed = new ParsedOptions();
  const rest = [...args];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      parsed.operands.push(...rest);
      break;
    }
    if (word.startsWith('--')) takeLong(word.slice(2), rest, spec, parsed);
    else if (word.length > 1 && word.startsWith('-')) takeLetters(word.slice(1), rest, spec, parsed);
    else {
      parsed.operands.push(word);
      if (spec.permute === false) {
        parsed.operands.push(...rest);
        break;
      }
    }
  }
  return parsed;
}

function takeLetters(letters: string, rest: string[], spec: OptionSpec, parsed: ParsedOptions): void {
  for (const [index, letter] of [...letters].entries()) {
    if (spec.flags?.includes(letter)) {
      parsed.add(letter, '');
      continue;
    }
    if (!spec.values?.includes(letter)) throw new UsageError(`unrecognized option: ${letter}`);
    const attached = letters.slice(index + 1);
    const value = attached !== '' ? attached : rest.shift();
    if (value === undefined) throw new UsageError(`option requires an argument: ${letter}`);
    parsed.add(letter, value);
    return;
  }
}

function takeLong(text: string, rest: string[], spec: OptionSpec, parsed: ParsedOptions): void {
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals);
  const long = new Map(Object.entries(spec.long ?? {}));
  const flag = long.get(name);
  if (flag !== undefined && equals < 0) {
    parsed.add(flag, '');
    return;
  }
  const target = long.get(`${name}=`);
  if (target === undefined) {
    if (flag !== undefined) throw new UsageError(`option '--${name}' doesn't allow an argument`);
    throw new UsageError(`unrecognized option '--${text}'`);
  }
  const value = equals < 0 ? rest.shift() : text.slice(equals + 1);
  if (value === undefined) throw new UsageError(`option '--${name}' requires an argument`);
  parsed.add(target, value);
}
