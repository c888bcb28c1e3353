/** awk's own functions. */
import { UsageError } from '../options.ts';
import { formatDate } from '../system.ts';
import { formatValues } from './format.ts';
import type { AwkStreams } from './streams.ts';
import type { Expression } from './syntax.ts';
import { type AwkArray, inputValue, toNumber, toText, type Value } from './value.ts';

/** What the functions need of the program that calls them. */
export interface AwkMachine {
  readonly record: string;
  readonly streams: AwkStreams;
  evaluate(expression: Expression): Promise<Value>;
  store(target: Expression, value: Value): Promise<void>;
  array(name: string): AwkArray;
  isArray(name: string): boolean;
  getGlobal(name: string): Value;
  setGlobal(name: string, value: Value): void;
  /** A compiled extended regular expression. */
  expression(source: string): RegExp;
  regex(expression: Expression): Promise<RegExp>;
  /** By a separator as FS has it. */
  split(text: string, separator: string): string[];
}

export class AwkBuiltins {
  private readonly machine: AwkMachine;
  private seed = 0;

  constructor(machine: AwkMachine) {
    this.machine = machine;
  }

  async call(name: string, args: readonly Expression[]): Promise<Value> {
    const text = async (index: number): Promise<string> => {
      const arg = args[index];
      return arg === undefined ? this.machine.record : toText(await this.machine.evaluate(arg));
    };
    const number = async (index: number): Promise<number> =>
      args[index] === undefined ? 0 : toNumber(await this.machine.evaluate(args[index]));
    switch (name) {
      case 'length': {
        const [arg] = args;
        if (arg?.kind === 'variable' && this.machine.isArray(arg.name)) return this.machine.array(arg.name).size;
        return [...(await text(0))].length;
      }
      case 'substr': {
        const characters = [...(await text(0))];
        const start = Math.round(await number(1));
        const end = args[2] === undefined ? Number.POSITIVE_INFINITY : start + Math.round(await number(2));
        return characters.slice(Math.max(0, start - 1), Math.max(0, Math.min(end - 1, characters.length))).join('');
      }
      case 'index':
        return (await text(0)).indexOf(await text(1)) + 1;
      case 'split':
        return this.callSplit(args, await text(0));
      case 'sub':
      case 'gsub':
        return this.substitute(name === 'gsub', args);
      case 'match': {
        const found = args[1] === undefined ? null : (await this.machine.regex(args[1])).exec(await text(0));
        this.machine.setGlobal('RSTART', found === null ? 0 : found.index + 1);
        this.machine.setGlobal('RLENGTH', found === null ? -1 : found[0].length);
        return found === null ? 0 : found.index + 1;
      }
      case 'sprintf': {
        const values: Value[] = [];
        for (const arg of args) values.push(await this.machine.evaluate(arg));
        return formatValues(values);
      }
      case 'tolower':
        return (await text(0)).toLowerCase();
      case 'toupper':
        return (await text(0)).toUpperCase();
      case 'int':
        return Math.trunc(await number(0));
      case 'sin':
      case 'cos':
      case 'exp':
      case 'log':
      case 'sqrt':
        return Math[name](await number(0));
      case 'atan2':
        return Math.atan2(await number(0), await number(1));
      case 'rand':
        return this.random();
      case 'srand': {
        const before = this.seed;
        this.seed = args.length === 0 ? Math.floor(Date.now() / 1000) : await number(0);
        return before;
      }
      case 'systime':
        return Math.floor(Date.now() / 1000);
      case 'strftime':
        return formatDate(
          args[1] === undefined ? new Date() : new Date((await number(1)) * 1000),
          args[0] === undefined ? '%a %b %e %H:%M:%S UTC %Y' : await text(0),
        );
      case 'system':
        return this.machine.streams.system(await text(0));
      case 'close':
        return this.machine.streams.close(await text(0));
      default:
        return 0;
    }
  }

  private async callSplit(args: readonly Expression[], text: string): Promise<number> {
    const [, target, separator] = args;
    if (target?.kind !== 'variable') throw new UsageError('split: second argument is no array');
    const parts =
      separator?.kind === 'regex'
        ? text === ''
          ? []
          : text.split(this.machine.expression(separator.source))
        : this.machine.split(
            text,
            separator === undefined
              ? toText(this.machine.getGlobal('FS'))
              : toText(await this.machine.evaluate(separator)),
          );
    const array = this.machine.array(target.name);
    array.clear();
    for (const [index, part] of parts.entries()) array.set(String(index + 1), inputValue(part));
    return parts.length;
  }

  private async substitute(all: boolean, args: readonly Expression[]): Promise<number> {
    const [pattern, replacement, target = { kind: 'field', index: { kind: 'number', value: 0 } } satisfies Expression] =
      args;
    if (pattern === undefined || replacement === undefined) throw new UsageError('sub: too few arguments');
    const expression = await this.machine.regex(pattern);
    const text = toText(await this.machine.evaluate(replacement));
    const before = toText(await this.machine.evaluate(target));
    let count = 0;
    const global = new RegExp(expression.source, all ? 'g' : '');
    const after = before.replace(global, (found: string) => {
      count += 1;
      return text.replace(/\\\\|\\&|&/g, (mark) => (mark === '&' ? found : mark.charAt(1)));
    });
    if (count > 0) await this.machine.store(target, after);
    return count;
  }

  /** A small generator of our own: `srand(n)` must repeat. */
  private random(): number {
    this.seed = (Math.imul(Math.trunc(this.seed), 1_664_525) + 1_013_904_223) >>> 0;
    return this.seed / 2 ** 32;
  }
}
