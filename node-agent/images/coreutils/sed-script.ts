/** sed scripts to commands: addresses, blocks, `s`, `y`, text commands, branches (POSIX sed, and GNU's `-E`, `I`, `0~n`). */
import { UsageError } from './options.ts';
import { regularExpression } from './regular-expression.ts';

export type SedAddress =
  | { readonly kind: 'line'; readonly number: number }
  | { readonly kind: 'last' }
  | { readonly kind: 'step'; readonly first: number; readonly step: number }
  | { readonly kind: 'match'; readonly expression: RegExp | undefined }
  | { readonly kind: 'offset'; readonly count: number };

export interface SedCommand {
  readonly name: string;
  readonly from: SedAddress | undefined;
  readonly to: SedAddress | undefined;
  readonly negated: boolean;
  /** Text, label or file name. */
  readonly text: string;
  readonly substitution?: SedSubstitution;
  /** `y`: character to character. */
  readonly translation?: ReadonlyMap<string, string>;
  /** `{`: index after its `}`; `b`, `t`, `T`: where to go on. */
  target: number;
}

export interface SedSubstitution {
  /** Undefined: the last expression used. */
  readonly expression: RegExp | undefined;
  readonly replacement: string;
  readonly global: boolean;
  readonly print: boolean;
  readonly occurrence: number;
  readonly file: string | undefined;
}

export function parseSedScript(source: string, extended: boolean): SedCommand[] {
  return new SedParser(source, extended).parse();
}

class SedParser {
  private readonly source: string;
  private readonly extended: boolean;
  private readonly commands: SedCommand[] = [];
  private index = 0;

  constructor(source: string, extended: boolean) {
    this.source = source;
    this.extended = extended;
  }

  parse(): SedCommand[] {
    const open: SedCommand[] = [];
    for (;;) {
      this.skip(/[\s;]/);
      if (this.index >= this.source.length) break;
      if (this.peek() === '#') {
        this.takeLine();
        continue;
      }
      const command = this.command();
      if (command.name === '}') {
        const block = open.pop();
        if (block === undefined) throw new UsageError("unexpected '}'");
        block.target = this.commands.length;
        continue;
      }
      this.commands.push(command);
      if (command.name === '{') open.push(command);
    }
    if (open.length > 0) throw new UsageError("unmatched '{'");
    this.resolveLabels();
    return this.commands;
  }

  private resolveLabels(): void {
    for (const command of this.commands) {
      if (!['b', 't', 'T'].includes(command.name)) continue;
      const label = this.commands.findIndex((other) => other.name === ':' && other.text === command.text);
      if (command.text !== '' && label < 0) throw new UsageError(`can't find label for jump to '${command.text}'`);
      command.target = command.text === '' ? this.commands.length : label;
    }
  }

  private command(): SedCommand {
    const from = this.address();
    let to: SedAddress | undefined;
    this.skip(/\s/);
    if (from !== undefined && this.peek() === ',') {
      this.index += 1;
      this.skip(/\s/);
      to = this.address();
      if (to === undefined) throw new UsageError('unexpected ,');
    }
    this.skip(/\s/);
    let negated = false;
    while (this.peek() === '!') {
      negated = true;
      this.index += 1;
      this.skip(/\s/);
    }
    const name = this.source.charAt(this.index++);
    const base = { name, from, to, negated, text: '', target: 0 };
    switch (name) {
      case 's':
        return { ...base, substitution: this.substitution() };
      case 'y':
        return { ...base, translation: this.translation() };
      case 'a':
      case 'i':
      case 'c':
        return { ...base, text: this.textArgument() };
      case ':':
      case 'b':
      case 't':
      case 'T':
      case 'r':
      case 'w':
        this.skip(/[ \t]/);
        return { ...base, text: name === 'r' || name === 'w' ? this.takeLine() : this.takeWhile(/[^\s;}]/) };
      case 'q':
      case 'Q':
        this.skip(/[ \t]/);
        return { ...base, text: this.takeWhile(/\d/) };
      case '{':
      case '}':
      case 'd':
      case 'D':
      case 'g':
      case 'G':
      case 'h':
      case 'H':
      case 'l':
      case 'n':
      case 'N':
      case 'p':
      case 'P':
      case 'x':
      case 'z':
      case '=':
        return base;
      default:
        throw new UsageError(name === '' ? 'missing command' : `unsupported command ${name}`);
    }
  }

  private address(): SedAddress | undefined {
    const character = this.peek();
    if (/\d/.test(character)) {
      const number = Number(this.takeWhile(/\d/));
      if (this.peek() !== '~') return { kind: 'line', number };
      this.index += 1;
      return { kind: 'step', first: number, step: Number(this.takeWhile(/\d/)) };
    }
    if (character === '+') {
      this.index += 1;
      return { kind: 'offset', count: Number(this.takeWhile(/\d/)) };
    }
    if (character === '$') {
      this.index += 1;
      return { kind: 'last' };
    }
    if (character !== '/' && character !== '\\') return undefined;
    if (character === '\\') this.index += 1;
    const pattern = this.delimited(this.source.charAt(this.index++), true);
    const flags = this.takeWhile(/I/);
    return { kind: 'match', expression: this.compile(pattern, flags) };
  }

  private compile(pattern: string, flags: string): RegExp | undefined {
    if (pattern === '') return undefined;
    return regularExpression(pattern, { extended: this.extended, flags: flags.includes('I') ? 'gi' : 'g' });
  }

  private substitution(): SedSubstitution {
    const delimiter = this.source.charAt(this.index++);
    const pattern = this.delimited(delimiter, true);
    const replacement = this.delimited(delimiter, false);
    let flags = '';
    let file: string | undefined;
    for (;;) {
      const flag = this.takeWhile(/[gpIiMme\d]/);
      flags += flag;
      if (this.peek() !== 'w') break;
      this.index += 1;
      file = this.takeLine().trim();
    }
    return {
      expression: this.compile(pattern, /[Ii]/.test(flags) ? 'I' : ''),
      replacement,
      global: flags.includes('g'),
      print: flags.includes('p'),
      occurrence: Number(/\d+/.exec(flags)?.[0] ?? 1),
      file,
    };
  }

  private translation(): ReadonlyMap<string, string> {
    const delimiter = this.source.charAt(this.index++);
    const letters = (text: string): string[] => [...text.replaceAll('\\n', '\n').replace(/\\(.)/g, '$1')];
    const from = letters(this.delimited(delimiter, false));
    const to = letters(this.delimited(delimiter, false));
    if (from.length !== to.length) throw new UsageError("strings for 'y' command are different lengths");
    return new Map(from.map((letter, index) => [letter, to[index] ?? letter]));
  }

  /** Up to the next unescaped delimiter; an escaped one stands for itself. */
  private delimited(delimiter: string, isPattern: boolean): string {
    let text = '';
    let inBracket = false;
    for (; this.index < this.source.length; this.index++) {
      const character = this.source.charAt(this.index);
      if (character === '\\' && !inBracket) {
        const next = this.source.charAt(++this.index);
        if (next === delimiter) text += delimiter;
        else if (next === 'n' && isPattern) text += '\n';
        else text += `\\${next}`;
        continue;
      }
      if (isPattern && character === '[') inBracket = true;
      else if (character === ']' && !/\[\^?$/.test(text)) inBracket = false;
      if (character === delimiter && !inBracket) {
        this.index += 1;
        return text;
      }
      text += character;
    }
    throw new UsageError(`unmatched '${delimiter}'`);
  }

  /** `a text`, or `a\` and the lines that follow, each but the last ending in a backslash. */
  private textArgument(): string {
    this.skip(/[ \t]/);
    if (this.peek() === '\\') {
      this.index += 1;
      this.skip(/[ \t]/);
      if (this.peek() === '\n') this.index += 1;
    }
    let text = '';
    while (this.index < this.source.length && this.peek() !== '\n') {
      if (this.peek() === '\\') this.index += 1;
      text += this.source.charAt(this.index++);
    }
    return text;
  }

  private peek(): string {
    return this.source.charAt(this.index);
  }

  private skip(expression: RegExp): void {
    while (this.index < this.source.length && expression.test(this.peek())) this.index += 1;
  }

  private takeWhile(expression: RegExp): string {
    const start = this.index;
    this.skip(expression);
    return this.source.slice(start, this.index);
  }

  private takeLine(): string {
    return this.takeWhile(/[^\n]/);
  }
}
