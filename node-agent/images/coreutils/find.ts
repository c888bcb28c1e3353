/** find: walks the tree and judges each path by an expression of tests and actions. */

import type { FileStat } from '../files/container-files.ts';
import { FileError } from '../files/file-error.ts';
import { patternToRegExp } from '../shell/pattern.ts';
import { UsageError } from './options.ts';
import { runCommandLine } from './run-command.ts';
import type { Invocation, Utility } from './utility.ts';

interface Candidate {
  readonly path: string;
  readonly absolute: string;
  readonly stat: FileStat;
  readonly depth: number;
  pruned: boolean;
}

type Test = (candidate: Candidate) => boolean | Promise<boolean>;

export const find: Utility = async (run) => {
  const split = run.args.findIndex((arg) => /^[-(!]/.test(arg));
  const starts = run.args.slice(0, split < 0 ? run.args.length : split);
  const expression = new ExpressionParser(run, split < 0 ? [] : run.args.slice(split));
  const test = expression.parse();
  const visit = async (path: string, depth: number): Promise<void> => {
    const absolute = run.resolve(path);
    const { files } = run.context.container;
    const candidate: Candidate = { path, absolute, stat: files.lstat(absolute), depth, pruned: false };
    if (!expression.depthFirst && depth >= expression.minDepth) await test(candidate);
    if (candidate.stat.kind === 'directory' && !candidate.pruned && depth < expression.maxDepth) {
      for (const name of files.readdir(absolute))
        await visit(path.endsWith('/') ? path + name : `${path}/${name}`, depth + 1);
    }
    if (expression.depthFirst && depth >= expression.minDepth) await test(candidate);
  };
  for (const start of starts.length === 0 ? ['.'] : starts) {
    try {
      await visit(start, 0);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      await run.complain(`${start}: ${error.message}`);
    }
  }
  await expression.finish();
};

class ExpressionParser {
  maxDepth = Number.POSITIVE_INFINITY;
  minDepth = 0;
  depthFirst = false;
  private readonly run: Invocation;
  private readonly words: readonly string[];
  private readonly batches: { readonly command: readonly string[]; readonly paths: string[] }[] = [];
  private index = 0;
  private hasAction = false;

  constructor(run: Invocation, words: readonly string[]) {
    this.run = run;
    this.words = words;
  }

  parse(): Test {
    const test = this.words.length === 0 ? () => true : this.or();
    if (this.index < this.words.length) throw new UsageError(`unrecognized: ${this.words[this.index]}`);
    if (this.hasAction) return test;
    return async (candidate) => (await test(candidate)) && this.print(candidate, '\n');
  }

  /** Runs what `-exec ... +` gathered. */
  async finish(): Promise<void> {
    for (const { command, paths } of this.batches)
      if (paths.length > 0) await runCommandLine(this.run, [...command, ...paths]);
  }

  private or(): Test {
    let left = this.and();
    while (this.take('-o') || this.take('-or')) {
      const [first, second] = [left, this.and()];
      left = async (candidate) => (await first(candidate)) || second(candidate);
    }
    return left;
  }

  private and(): Test {
    let left = this.not();
    for (;;) {
      const explicit = this.take('-a') || this.take('-and');
      const word = this.words[this.index];
      if (!explicit && (word === undefined || word === '-o' || word === '-or' || word === ')')) return left;
      const [first, second] = [left, this.not()];
      left = async (candidate) => (await first(candidate)) && second(candidate);
    }
  }

  private not(): Test {
    if (!this.take('!') && !this.take('-not')) return this.primary();
    const inner = this.not();
    return async (candidate) => !(await inner(candidate));
  }

  private primary(): Test {
    const word = this.words[this.index++];
    switch (word) {
      case undefined:
        throw new UsageError('missing expression');
      case '(': {
        const inner = this.or();
        if (!this.take(')')) throw new UsageError("missing ')'");
        return inner;
      }
      case '-name':
      case '-iname':
        return this.namePattern(word === '-iname');
      case '-path':
      case '-wholename': {
        const expression = patternToRegExp(this.argument(word));
        return (candidate) => expression.test(candidate.path);
      }
      case '-type': {
        const kinds = { f: 'file', d: 'directory', l: 'symlink', c: 'device' };
        const wanted = this.argument(word).split(',');
        return (candidate) =>
          wanted.some((letter) => candidate.stat.kind === new Map(Object.entries(kinds)).get(letter));
      }
      case '-maxdepth':
        this.maxDepth = Number(this.argument(word));
        return () => true;
      case '-mindepth':
        this.minDepth = Number(this.argument(word));
        return () => true;
      case '-depth':
        this.depthFirst = true;
        return () => true;
      case '-xdev':
      case '-mount':
      case '-true':
        return () => true;
      case '-empty':
        return (candidate) =>
          candidate.stat.kind === 'directory'
            ? this.run.context.container.files.readdir(candidate.absolute).length === 0
            : candidate.stat.sizeBytes === 0;
      case '-size':
        return this.size(this.argument(word));
      case '-perm': {
        const mode = Number.parseInt(this.argument(word).replace(/^[-/]/, ''), 8);
        return (candidate) => (candidate.stat.mode & mode) === mode;
      }
      case '-mtime':
      case '-mmin': {
        const compare = comparison(this.argument(word));
        const unitMs = word === '-mtime' ? 86_400_000 : 60_000;
        return (candidate) => compare(Math.floor((Date.now() - candidate.stat.modifiedAtMs) / unitMs));
      }
      case '-newer': {
        const reference = this.run.context.container.files.stat(this.run.resolve(this.argument(word))).modifiedAtMs;
        return (candidate) => candidate.stat.modifiedAtMs > reference;
      }
      case '-prune':
        return (candidate) => {
          candidate.pruned = true;
          return true;
        };
      case '-print':
      case '-print0':
        this.hasAction = true;
        return (candidate) => this.print(candidate, word === '-print' ? '\n' : '\0');
      case '-delete':
        this.hasAction = true;
        this.depthFirst = true;
        return (candidate) => this.remove(candidate);
      case '-exec':
        this.hasAction = true;
        return this.exec();
      default:
        throw new UsageError(`unrecognized: ${word}`);
    }
  }

  private namePattern(ignoreCase: boolean): Test {
    const pattern = this.argument('-name');
    const expression = patternToRegExp(ignoreCase ? pattern.toLowerCase() : pattern);
    return ({ path }) => {
      const name = path.replace(/\/+$/, '').split('/').at(-1) ?? '';
      return expression.test(ignoreCase ? name.toLowerCase() : name);
    };
  }

  private size(text: string): Test {
    const match = /^([-+]?\d+)([bcwkMG]?)$/.exec(text);
    if (match === null) throw new UsageError(`invalid number '${text}'`);
    const unit = { c: 1, w: 2, b: 512, k: 1024, M: 1 << 20, G: 1 << 30 }[match[2] || 'b'] ?? 512;
    const compare = comparison(match[1] ?? '0');
    return (candidate) => compare(Math.ceil(candidate.stat.sizeBytes / unit));
  }

  private exec(): Test {
    const command: string[] = [];
    for (let word = this.words[this.index++]; word !== ';'; word = this.words[this.index++]) {
      if (word === undefined) throw new UsageError('-exec requires an argument');
      if (word === '+' && command.at(-1) === '{}') {
        const batch = { command: command.slice(0, -1), paths: [] as string[] };
        this.batches.push(batch);
        return ({ path }) => batch.paths.push(path) > 0;
      }
      command.push(word);
    }
    return async ({ path }) =>
      (await runCommandLine(
        this.run,
        command.map((word) => word.replaceAll('{}', path)),
      )) === 0;
  }

  private async print(candidate: Candidate, end: string): Promise<boolean> {
    await this.run.print(`${candidate.path}${end}`);
    return true;
  }

  private remove(candidate: Candidate): boolean {
    const { files } = this.run.context.container;
    if (candidate.stat.kind === 'directory') files.rmdir(candidate.absolute);
    else files.unlink(candidate.absolute);
    return true;
  }

  private argument(option: string): string {
    const word = this.words[this.index++];
    if (word === undefined) throw new UsageError(`${option} requires an argument`);
    return word;
  }

  private take(word: string): boolean {
    if (this.words[this.index] !== word) return false;
    this.index += 1;
    return true;
  }
}

function comparison(text: string): (value: number) => boolean {
  const number = Number(text.replace(/^[-+]/, ''));
  if (text.startsWith('+')) return (value) => value > number;
  return text.startsWith('-') ? (value) => value < number : (value) => value === number;
}
