/** `read`: one line into variables; what follows it in the stream stays for the next reader. */
import { readLine } from '../../program-io.ts';
import type { Shell } from '../shell.ts';
import type { Builtin } from './builtin.ts';

interface ReadOptions {
  raw: boolean;
  prompt: string;
  timeoutMs: number | undefined;
  delimiter: number;
  characters: number | undefined;
  descriptor: number;
  names: readonly string[];
}

export const read: Builtin = async (shell, args) => {
  const options = parseOptions(args);
  if (options === undefined) {
    await shell.complain('read: bad option');
    return 2;
  }
  const stream = shell.reader(options.descriptor);
  if (stream === undefined) return 1;
  if (options.prompt !== '' && shell.descriptors.get(0)?.isTerminal) await shell.write(2, options.prompt);
  const stop =
    options.timeoutMs === undefined
      ? shell.waitSignal
      : AbortSignal.any([shell.waitSignal, AbortSignal.timeout(options.timeoutMs)]);
  let text = '';
  let ended = false;
  for (;;) {
    const line = await readLine(stream, stop, options.delimiter);
    shell.throwIfStopped();
    if (line === undefined || !line.endsWith(String.fromCharCode(options.delimiter))) {
      ended = true;
      text += line ?? '';
      break;
    }
    text += line.slice(0, -1);
    // A backslash at the end of the line continues it.
    if (options.raw || !/(^|[^\\])(\\\\)*\\$/.test(text)) break;
    text = text.slice(0, -1);
  }
  if (options.characters !== undefined) text = text.slice(0, options.characters);
  assign(shell, text, options);
  return ended ? 1 : 0;
};

function parseOptions(args: readonly string[]): ReadOptions | undefined {
  const options: ReadOptions = {
    raw: false,
    prompt: '',
    timeoutMs: undefined,
    delimiter: 10,
    characters: undefined,
    descriptor: 0,
    names: [],
  };
  let index = 0;
  for (; index < args.length; index++) {
    const word = args[index] ?? '';
    if (word === '--') {
      index += 1;
      break;
    }
    if (!/^-./.test(word)) break;
    for (let letter = 1; letter < word.length; letter++) {
      const flag = word.charAt(letter);
      if (flag === 'r') options.raw = true;
      else if (flag === 's') continue;
      else if ('ptdnNu'.includes(flag)) {
        const value = letter + 1 < word.length ? word.slice(letter + 1) : (args[++index] ?? '');
        applyValue(options, flag, value);
        break;
      } else return undefined;
    }
  }
  options.names = args.slice(index);
  return options;
}

function applyValue(options: ReadOptions, flag: string, value: string): void {
  if (flag === 'p') options.prompt = value;
  else if (flag === 't') options.timeoutMs = Math.max(0, Number(value) * 1000);
  else if (flag === 'd') options.delimiter = value.charCodeAt(0) || 0;
  else if (flag === 'u') options.descriptor = Number(value);
  else options.characters = Number(value);
}

/** Splits at IFS; the last variable takes the rest of the line (POSIX read). */
function assign(shell: Shell, line: string, options: ReadOptions): void {
  const names = options.names.length === 0 ? ['REPLY'] : options.names;
  const ifs = shell.variables.has('IFS') ? (shell.get('IFS') ?? '') : ' \t\n';
  const characters = options.raw ? [...line].map((text) => ({ text, escaped: false })) : escapedCharacters(line);
  let index = 0;
  const isSeparator = (at: number): boolean => {
    const character = characters[at];
    return character !== undefined && !character.escaped && ifs.includes(character.text);
  };
  const isSpace = (at: number): boolean => isSeparator(at) && ' \t\n'.includes(characters[at]?.text ?? '');
  const skipSpace = (): void => {
    while (isSpace(index)) index += 1;
  };
  if (options.names.length > 0) skipSpace();
  for (const [position, name] of names.entries()) {
    let value = '';
    if (position < names.length - 1) {
      while (index < characters.length && !isSeparator(index)) value += characters[index++]?.text ?? '';
      skipSpace();
      if (isSeparator(index)) {
        index += 1;
        skipSpace();
      }
    } else {
      let end = characters.length;
      if (options.names.length > 0) while (end > index && isSpace(end - 1)) end -= 1;
      // One trailing separator belongs to the field before it when nothing else follows.
      const rest = characters.slice(index, end);
      const separators = rest.filter((_, at) => isSeparator(index + at)).length;
      if (options.names.length > 0 && separators === 1 && isSeparator(end - 1)) rest.pop();
      value = rest.map((character) => character.text).join('');
      index = characters.length;
    }
    shell.set(name, value);
  }
}

function escapedCharacters(line: string): { text: string; escaped: boolean }[] {
  const characters: { text: string; escaped: boolean }[] = [];
  const source = [...line];
  for (let index = 0; index < source.length; index++) {
    const text = source[index] ?? '';
    if (text === '\\' && index + 1 < source.length) characters.push({ text: source[++index] ?? '', escaped: true });
    else if (text !== '\\') characters.push({ text, escaped: false });
  }
  return characters;
}
