/** Utilities over lines and fields: sort, uniq, cut, tr, paste, fold, comm, seq, expand. */
import { chunks, lines } from '../program-io.ts';
import { parseOptions, UsageError } from './options.ts';
import type { Utility } from './utility.ts';

export const sort: Utility = async (run) => {
  const options = parseOptions(run.args, {
    flags: 'nrufbhVscCmzid',
    values: 'ktoST',
    long: { reverse: 'r', unique: 'u', 'numeric-sort': 'n', 'key=': 'k', 'field-separator=': 't' },
  });
  const all: string[] = [];
  for await (const { stream } of run.inputs(options.operands)) for await (const line of lines(stream)) all.push(line);
  const global = ['n', 'r', 'f', 'b', 'h', 'V', 'd'].filter((flag) => options.has(flag)).join('');
  const keys = options.values('k').map((text) => sortKey(text, options.value('t'), global));
  const compare = (a: string, b: string): number => {
    for (const key of keys) {
      const order = compareTexts(key.of(a), key.of(b), key.flags);
      if (order !== 0) return order;
    }
    if (keys.length > 0 && options.has('u')) return 0;
    if (keys.length > 0 && options.has('s')) return 0;
    const order = compareTexts(a, b, keys.length > 0 ? global.replace(/[^r]/g, '') : global);
    return order !== 0 || options.has('u') || options.has('s')
      ? order
      : compareTexts(a, b, global.includes('r') ? 'r' : '');
  };
  if (options.has('c') || options.has('C')) {
    const at = all.findIndex((line, index) => index > 0 && compare(all[index - 1] ?? '', line) > 0);
    if (at < 0) return 0;
    if (options.has('c')) await run.complain(`-:${at + 1}: disorder: ${all[at]}`);
    return 1;
  }
  all.sort(compare);
  const chosen = options.has('u')
    ? all.filter((line, index) => index === 0 || compare(all[index - 1] ?? '', line) !== 0)
    : all;
  const text = chosen.map((line) => `${line}\n`).join('');
  const output = options.value('o');
  if (output === undefined) await run.print(text);
  else run.context.container.files.writeFile(run.resolve(output), text);
  return run.status;
};

interface SortKey {
  readonly flags: string;
  of(line: string): string;
}

function sortKey(text: string, separator: string | undefined, globalFlags: string): SortKey {
  const match = /^(\d+)(?:\.(\d+))?([a-zA-Z]*)(?:,(\d+)(?:\.(\d+))?([a-zA-Z]*))?$/.exec(text);
  if (match === null) throw new UsageError(`bad field specification '${text}'`);
  const first = Number(match[1]);
  const firstCharacter = Number(match[2] ?? 1);
  const last = match[4] === undefined ? undefined : Number(match[4]);
  const own = `${match[3] ?? ''}${match[6] ?? ''}`;
  const split = (line: string): string[] =>
    separator === undefined ? (line.match(/\s*\S+/g) ?? []) : line.split(separator);
  return {
    flags: own === '' ? globalFlags : own,
    of: (line) => {
      const chosen = split(line)
        .slice(first - 1, last)
        .join(separator ?? '');
      const key = chosen.slice(firstCharacter - 1);
      return separator === undefined ? key.trimStart() : key;
    },
  };
}

function compareTexts(a: string, b: string, flags: string): number {
  const sign = flags.includes('r') ? -1 : 1;
  if (flags.includes('V')) return sign * a.localeCompare(b, 'en', { numeric: true });
  if (flags.includes('n') || flags.includes('h')) {
    const order = numberOf(a, flags.includes('h')) - numberOf(b, flags.includes('h'));
    return sign * order;
  }
  const [left, right] = flags.includes('f') ? [a.toUpperCase(), b.toUpperCase()] : [a, b];
  return left === right ? 0 : left < right ? -sign : sign;
}

const UNITS = 'KMGTPE';

function numberOf(text: string, human: boolean): number {
  const match = /^\s*(-?\d*\.?\d+)\s*([KMGTPEkmgtpe]?)/.exec(text);
  if (match === null) return 0;
  const power = human && match[2] ? UNITS.indexOf(match[2].toUpperCase()) + 1 : 0;
  return Number(match[1]) * 1024 ** power;
}

export const uniq: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'cduiz', values: 'fsw' });
  const skip = options.number('f') ?? 0;
  const key = (line: string): string => {
    const rest = line.replace(new RegExp(`^(?:\\s*\\S+){0,${skip}}`), '').slice(options.number('s') ?? 0);
    return options.has('i') ? rest.toLowerCase() : rest;
  };
  let current: string | undefined;
  let count = 0;
  const flush = async (): Promise<void> => {
    if (current === undefined || (options.has('d') && count < 2) || (options.has('u') && count > 1)) return;
    await run.print(`${options.has('c') ? `${String(count).padStart(7)} ` : ''}${current}\n`);
  };
  for await (const { stream } of run.inputs(options.operands.slice(0, 1))) {
    for await (const line of lines(stream)) {
      if (current !== undefined && key(line) === key(current)) {
        count += 1;
        continue;
      }
      await flush();
      current = line;
      count = 1;
    }
  }
  await flush();
};

export const cut: Utility = async (run) => {
  const options = parseOptions(run.args, {
    flags: 'sn',
    values: 'bcdf',
    long: { 'fields=': 'f', 'delimiter=': 'd', 'characters=': 'c' },
  });
  const list = options.value('f') ?? options.value('c') ?? options.value('b');
  if (list === undefined) throw new UsageError('expected a list of bytes, characters, or fields');
  const ranges = list.split(',').map((part) => range(part));
  const chosen = (position: number): boolean => ranges.some(([first, last]) => position >= first && position <= last);
  const delimiter = options.value('d') ?? '\t';
  for await (const { stream } of run.inputs(options.operands)) {
    for await (const line of lines(stream)) {
      if (!options.has('f')) {
        await run.print(`${[...line].filter((_, index) => chosen(index + 1)).join('')}\n`);
        continue;
      }
      if (!line.includes(delimiter)) {
        if (!options.has('s')) await run.print(`${line}\n`);
        continue;
      }
      await run.print(
        `${line
          .split(delimiter)
          .filter((_, index) => chosen(index + 1))
          .join(delimiter)}\n`,
      );
    }
  }
};

function range(text: string): readonly [number, number] {
  const match = /^(\d*)(-?)(\d*)$/.exec(text);
  if (match === null || text === '' || text === '-') throw new UsageError(`invalid range '${text}'`);
  const first = match[1] === '' ? 1 : Number(match[1]);
  return [first, match[2] === '' ? first : match[3] === '' ? Number.POSITIVE_INFINITY : Number(match[3])];
}

export const tr: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'cCds', permute: false });
  const [from = '', to = ''] = options.operands;
  const set = characterSet(from);
  const complement = options.has('c') || options.has('C');
  const target = characterSet(to);
  const inSet = (character: string): boolean => set.includes(character) !== complement;
  const squeezeSet = options.has('s') ? (options.operands.length > 1 ? target : undefined) : [];
  let previous = '';
  for await (const chunk of chunks(run.context.stdin)) {
    let output = '';
    for (const character of chunk.toString('latin1')) {
      if (options.has('d') && inSet(character)) continue;
      const mapped =
        !options.has('d') && to !== '' && inSet(character)
          ? (target[complement ? target.length - 1 : Math.min(set.indexOf(character), target.length - 1)] ?? character)
          : character;
      const squeezes = squeezeSet === undefined ? inSet(mapped) : squeezeSet.includes(mapped);
      if (squeezes && mapped === previous) continue;
      previous = mapped;
      output += mapped;
    }
    await run.print(Buffer.from(output, 'latin1'));
  }
};

const TR_CLASSES: Readonly<Record<string, RegExp>> = {
  alnum: /[A-Za-z0-9]/,
  alpha: /[A-Za-z]/,
  blank: /[ \t]/,
  cntrl: /\p{Cc}/u,
  digit: /[0-9]/,
  lower: /[a-z]/,
  print: /[\x20-\x7e]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /[\t-\r ]/,
  upper: /[A-Z]/,
  xdigit: /[0-9A-Fa-f]/,
};

function characterSet(text: string): string[] {
  const set: string[] = [];
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  for (let index = 0; index < bytes.length; ) {
    const named = /^\[:([a-z]+):\]/.exec(bytes.slice(index));
    if (named !== null) {
      const expression = TR_CLASSES[named[1] ?? ''];
      for (let code = 0; code < 256; code++)
        if (expression?.test(String.fromCharCode(code))) set.push(String.fromCharCode(code));
      index += named[0].length;
      continue;
    }
    const [first, length] = escaped(bytes, index);
    index += length;
    if (bytes.charAt(index) === '-' && index + 1 < bytes.length) {
      const [last, lastLength] = escaped(bytes, index + 1);
      for (let code = first.charCodeAt(0); code <= last.charCodeAt(0); code++) set.push(String.fromCharCode(code));
      index += 1 + lastLength;
    } else set.push(first);
  }
  return set;
}

function escaped(text: string, index: number): readonly [string, number] {
  if (text.charAt(index) !== '\\') return [text.charAt(index), 1];
  const octal = /^[0-7]{1,3}/.exec(text.slice(index + 1));
  if (octal !== null) return [String.fromCharCode(Number.parseInt(octal[0], 8)), 1 + octal[0].length];
  const letters: Readonly<Record<string, string>> = {
    n: '\n',
    t: '\t',
    r: '\r',
    '\\': '\\',
    a: '\x07',
    b: '\b',
    f: '\f',
    v: '\v',
  };
  const letter = text.charAt(index + 1);
  return [letters[letter] ?? letter, 2];
}

export const paste: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 's', values: 'd' });
  const delimiter = (options.value('d') ?? '\t').replace('\\n', '\n').replace('\\t', '\t');
  const columns: string[][] = [];
  for await (const { stream } of run.inputs(options.operands)) {
    const column: string[] = [];
    for await (const line of lines(stream)) column.push(line);
    columns.push(column);
  }
  if (options.has('s')) {
    for (const column of columns) await run.print(`${column.join(delimiter)}\n`);
    return;
  }
  const rows = Math.max(0, ...columns.map((column) => column.length));
  for (let row = 0; row < rows; row++)
    await run.print(`${columns.map((column) => column[row] ?? '').join(delimiter)}\n`);
};

export const fold: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'bs', values: 'w' });
  const width = options.number('w') ?? 80;
  for await (const { stream } of run.inputs(options.operands)) {
    for await (const line of lines(stream)) {
      const parts = line === '' ? [''] : (line.match(new RegExp(`.{1,${width}}`, 'gs')) ?? []);
      for (const part of parts) await run.print(`${part}\n`);
    }
  }
};

export const comm: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: '123' });
  const [left = [], right = []] = await Promise.all(
    options.operands.slice(0, 2).map(async (path) => {
      const all: string[] = [];
      for await (const line of lines(run.open(path))) all.push(line);
      return all;
    }),
  );
  const print = (column: 1 | 2 | 3, line: string): Promise<void> | undefined => {
    if (options.has(String(column))) return undefined;
    const before = [1, 2].filter((other) => other < column && !options.has(String(other))).length;
    return run.print(`${'\t'.repeat(before)}${line}\n`);
  };
  let [i, j] = [0, 0];
  while (i < left.length || j < right.length) {
    const [a, b] = [left[i], right[j]];
    if (b === undefined || (a !== undefined && a < b)) await print(1, left[i++] ?? '');
    else if (a === undefined || b < a) await print(2, right[j++] ?? '');
    else {
      await print(3, a);
      i += 1;
      j += 1;
    }
  }
};

export const seq: Utility = async (run) => {
  const options = parseOptions(
    run.args.map((arg) => (/^-[\d.]/.test(arg) ? ` ${arg}` : arg)),
    { flags: 'w', values: 'sf', permute: false },
  );
  const numbers = options.operands.map((text) => text.trim());
  if (numbers.length === 0 || numbers.length > 3 || numbers.some((text) => Number.isNaN(Number(text))))
    throw new UsageError('invalid number');
  const [first, step, last] =
    numbers.length === 1 ? ['1', '1', numbers[0]] : numbers.length === 2 ? [numbers[0], '1', numbers[1]] : numbers;
  const digits = Math.max(...[first, step].map((text) => (text?.split('.')[1] ?? '').length));
  const width = options.has('w') ? Math.max(first?.length ?? 0, last?.length ?? 0) : 0;
  const [start, increment, end] = [Number(first), Number(step), Number(last)];
  if (increment === 0) throw new UsageError('zero increment');
  const separator = options.value('s') ?? '\n';
  let any = false;
  for (let index = 0; ; index++) {
    const value = start + index * increment;
    if (increment > 0 ? value > end + 1e-12 : value < end - 1e-12) break;
    await run.print(`${any ? separator : ''}${value.toFixed(digits).padStart(width, '0')}`);
    any = true;
  }
  if (any) await run.print('\n');
};
