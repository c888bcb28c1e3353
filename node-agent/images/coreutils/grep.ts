/** grep, egrep, fgrep: lines that match, as they come. */

import type { Readable } from 'node:stream';
import { FileError } from '../files/file-error.ts';
import { lines } from '../program-io.ts';
import { type ParsedOptions, parseOptions, UsageError } from './options.ts';
import { regularExpression } from './regular-expression.ts';
import type { Invocation, Utility } from './utility.ts';

const SPEC = {
  flags: 'EFGPivcnlLqhHsowxrRaz',
  values: 'efmABC',
  long: {
    'regexp=': 'e',
    'file=': 'f',
    'ignore-case': 'i',
    'invert-match': 'v',
    count: 'c',
    'line-number': 'n',
    'files-with-matches': 'l',
    quiet: 'q',
    silent: 'q',
    'no-messages': 's',
    'only-matching': 'o',
    'word-regexp': 'w',
    'line-regexp': 'x',
    recursive: 'r',
    'dereference-recursive': 'R',
    'extended-regexp': 'E',
    'fixed-strings': 'F',
    'max-count=': 'm',
    'after-context=': 'A',
    'before-context=': 'B',
    'context=': 'C',
    'line-buffered': 'line-buffered',
    color: 'color',
    'color=': 'color',
    'include=': 'include',
  },
};

export const grep: Utility = async (run) => {
  const options = parseOptions(run.args, SPEC);
  const search = new Search(run, options);
  if (search.paths.length === 0 && !search.recursive) await search.file('', run.context.stdin);
  for (const path of search.paths) await searchPath(run, search, path);
  if (run.status === 2 && !(options.has('q') && search.found)) return 2;
  return search.found ? 0 : 1;
};

async function searchPath(run: Invocation, search: Search, path: string): Promise<void> {
  const { files } = run.context.container;
  try {
    if (path === '-') {
      await search.file('(standard input)', run.context.stdin);
      return;
    }
    if (files.stat(run.resolve(path)).kind !== 'directory') {
      await search.file(path, run.open(path));
      return;
    }
    if (!search.recursive) {
      if (!search.quietErrors) await run.complain(`${path}: Is a directory`, 2);
      return;
    }
    for (const name of files.readdir(run.resolve(path))) {
      const below = path === '.' ? name : `${path.replace(/\/$/, '')}/${name}`;
      if (search.followsLinks || files.lstat(run.resolve(below)).kind !== 'symlink')
        await searchPath(run, search, below);
    }
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    run.status = 2;
    if (!search.quietErrors) await run.complain(`${path}: ${error.message}`, 2);
  }
}

class Search {
  found = false;
  readonly paths: readonly string[];
  readonly recursive: boolean;
  /** Also links met on the way down, not only those that were named. */
  readonly followsLinks: boolean;
  readonly quietErrors: boolean;
  private readonly run: Invocation;
  private readonly options: ParsedOptions;
  private readonly expression: RegExp;
  private readonly withNames: boolean;
  private readonly limit: number;
  private readonly before: number;
  private readonly after: number;

  constructor(run: Invocation, options: ParsedOptions) {
    this.run = run;
    this.options = options;
    const patterns = options.values('e').flatMap((pattern) => pattern.split('\n'));
    for (const file of options.values('f'))
      patterns.push(...run.context.container.files.readText(run.resolve(file)).replace(/\n$/, '').split('\n'));
    const operands = [...options.operands];
    if (patterns.length === 0) {
      const pattern = operands.shift();
      if (pattern === undefined) throw new UsageError('no pattern given');
      patterns.push(...pattern.split('\n'));
    }
    this.expression = compile(patterns, options, run.name);
    this.followsLinks = options.has('R');
    this.recursive = options.has('r') || this.followsLinks;
    this.paths = operands.length === 0 && this.recursive ? ['.'] : operands;
    this.quietErrors = options.has('s');
    this.withNames = !options.has('h') && (options.has('H') || this.paths.length > 1 || this.recursive);
    this.limit = options.number('m') ?? Number.POSITIVE_INFINITY;
    this.before = options.number('B') ?? options.number('C') ?? 0;
    this.after = options.number('A') ?? options.number('C') ?? 0;
  }

  async file(path: string, stream: Readable): Promise<void> {
    let count = 0;
    let number = 0;
    let trailing = 0;
    let gap = false;
    const held: { readonly number: number; readonly line: string }[] = [];
    const silent = ['q', 'c', 'l', 'L'].some((flag) => this.options.has(flag));
    for await (const line of lines(stream)) {
      number += 1;
      this.expression.lastIndex = 0;
      if (this.expression.test(line) === this.options.has('v')) {
        if (trailing > 0) {
          trailing -= 1;
          if (!silent) await this.print(path, number, line, '-');
        } else if (this.before > 0) {
          held.push({ number, line });
          if (held.length > this.before) {
            held.shift();
            gap = true;
          }
        } else gap = true;
        continue;
      }
      count += 1;
      this.found = true;
      if (this.options.has('q') || this.options.has('l')) break;
      if (!silent) {
        if (gap && count > 1 && (this.before > 0 || this.after > 0)) await this.run.print('--\n');
        for (const context of held.splice(0)) await this.print(path, context.number, context.line, '-');
        await this.match(path, number, line);
      }
      gap = false;
      trailing = this.after;
      if (count >= this.limit) break;
    }
    if (this.options.has('c')) await this.run.print(`${this.withNames ? `${path}:` : ''}${count}\n`);
    if (this.options.has('l') && count > 0 && !this.options.has('q')) await this.run.print(`${path}\n`);
    if (this.options.has('L') && count === 0) await this.run.print(`${path}\n`);
  }

  private async match(path: string, number: number, line: string): Promise<void> {
    if (!this.options.has('o')) {
      await this.print(path, number, line, ':');
      return;
    }
    if (this.options.has('v')) return;
    this.expression.lastIndex = 0;
    for (const [text] of line.matchAll(this.expression)) if (text !== '') await this.print(path, number, text, ':');
  }

  private async print(path: string, number: number, line: string, separator: string): Promise<void> {
    const name = this.withNames ? `${path}${separator}` : '';
    const place = this.options.has('n') ? `${number}${separator}` : '';
    await this.run.print(`${name}${place}${line}\n`);
  }
}

function compile(patterns: readonly string[], options: ParsedOptions, name: string): RegExp {
  const fixed = options.has('F') || name === 'fgrep';
  const extended = options.has('E') || options.has('P') || name === 'egrep';
  const sources = patterns.map((pattern) => {
    if (fixed) return pattern.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
    return options.has('P') ? pattern : regularExpression(pattern, { extended }).source.replace(/^\(\?:\)$/, '');
  });
  let source = sources.map((part) => `(?:${part})`).join('|');
  if (options.has('w')) source = `(?<!\\w)(?:${source})(?!\\w)`;
  if (options.has('x')) source = `^(?:${source})$`;
  try {
    return new RegExp(source, options.has('i') ? 'gi' : 'g');
  } catch (error) {
    if (error instanceof SyntaxError) throw new UsageError(`bad regex '${patterns.join('|')}'`);
    throw error;
  }
}
