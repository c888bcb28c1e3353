/** The language of nginx.conf: directives of words, ended by `;` or by a block in braces. */
import type { ContainerFiles } from '../../files/container-files.ts';
import { FileError } from '../../files/file-error.ts';

export interface Directive {
  readonly name: string;
  readonly args: readonly string[];
  readonly block?: readonly Directive[];
  readonly file: string;
  readonly line: number;
}

/** What nginx would call an emergency: the sentence names the file and the line. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';

  constructor(message: string, place?: { readonly file: string; readonly line: number }) {
    super(place === undefined ? message : `${message} in ${place.file}:${place.line}`);
  }
}

interface Token {
  readonly text: string;
  readonly quoted: boolean;
  readonly line: number;
}

const MAX_INCLUDE_DEPTH = 8;

/** Reads a file and what it includes; throws `ConfigurationError`. */
export function readConfiguration(files: ContainerFiles, path: string, depth = 0): Directive[] {
  if (depth > MAX_INCLUDE_DEPTH) throw new ConfigurationError(`too many nested includes at ${path}`);
  let text: string;
  try {
    text = files.readText(path);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    throw new ConfigurationError(`open() "${path}" failed (${error.message})`);
  }
  return expandIncludes(files, parseConfiguration(text, path), depth);
}

/** Parses text; `file` is its name for messages. Throws `ConfigurationError`. */
export function parseConfiguration(text: string, file: string): Directive[] {
  const tokens = tokenize(text, file);
  const directives = parseBlock(tokens, file);
  const left = tokens.shift();
  if (left !== undefined) throw new ConfigurationError('unexpected "}"', { file, line: left.line });
  return directives;
}

function tokenize(text: string, file: string): Token[] {
  const tokens: Token[] = [];
  const pattern =
    /\s+|#[^\n]*|([{};])|"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|((?:\\.|\$\{\w+\}|[^\s{};"'])(?:\\.|\$\{\w+\}|[^\s{};])*)/gy;
  let line = 1;
  let position = 0;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    position = pattern.lastIndex;
    const [whole, mark, double, single, word] = match;
    const quoted = double ?? single;
    if (mark !== undefined) tokens.push({ text: mark, quoted: false, line });
    else if (quoted !== undefined) tokens.push({ text: quoted.replace(/\\(["'])/g, '$1'), quoted: true, line });
    else if (word !== undefined) tokens.push({ text: word, quoted: false, line });
    line += whole.split('\n').length - 1;
  }
  if (position < text.length) throw new ConfigurationError('unexpected end of file', { file, line });
  return tokens;
}

function parseBlock(tokens: Token[], file: string): Directive[] {
  const directives: Directive[] = [];
  for (let token = tokens[0]; token !== undefined && !isMark(token, '}'); token = tokens[0]) {
    directives.push(parseDirective(tokens, file));
  }
  return directives;
}

function parseDirective(tokens: Token[], file: string): Directive {
  const words: string[] = [];
  const line = tokens[0]?.line ?? 0;
  for (let token = tokens.shift(); token !== undefined; token = tokens.shift()) {
    const [name = '', ...args] = words;
    if (isMark(token, ';')) {
      if (words.length === 0) throw new ConfigurationError('unexpected ";"', { file, line });
      return { name, args, file, line };
    }
    if (isMark(token, '{')) {
      const block = parseBlock(tokens, file);
      if (tokens.shift() === undefined)
        throw new ConfigurationError('unexpected end of file, expecting "}"', { file, line });
      return { name, args, block, file, line };
    }
    if (isMark(token, '}')) break;
    words.push(token.text);
  }
  throw new ConfigurationError(`directive "${words[0]}" is not terminated by ";"`, { file, line });
}

function isMark(token: Token, mark: string): boolean {
  return !token.quoted && token.text === mark;
}

function expandIncludes(files: ContainerFiles, directives: readonly Directive[], depth: number): Directive[] {
  return directives.flatMap((directive): Directive[] => {
    if (directive.name === 'include') {
      return includedFiles(files, directive.args[0] ?? '').flatMap((path) => readConfiguration(files, path, depth + 1));
    }
    const { block } = directive;
    return [block === undefined ? directive : { ...directive, block: expandIncludes(files, block, depth) }];
  });
}

/** A path, or a pattern with `*` in its last name. */
function includedFiles(files: ContainerFiles, pattern: string): string[] {
  const path = pattern.startsWith('/') ? pattern : `/etc/nginx/${pattern}`;
  if (!path.includes('*')) return [path];
  const slash = path.lastIndexOf('/');
  const folder = path.slice(0, slash);
  if (!files.exists(folder)) return [];
  const parts = path
    .slice(slash + 1)
    .split('*')
    .map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, '\\$&'));
  const expression = new RegExp(`^${parts.join('.*')}$`);
  return files
    .readdir(folder)
    .filter((name) => expression.test(name) && !name.startsWith('.'))
    .map((name) => `${folder}/${name}`);
}
