/**
 * The Corefile: which zones are served on which ports, and the plugins of each with their arguments.
 *
 *   (snippet) { ... }              import snippet | import glob
 *   zone[:port] zone... {          # a comment; {$NAME} and {%NAME%} are environment variables; "quoted words"
 *       plugin argument... {
 *           property argument...
 *       }
 *   }
 */

/** A line that is not understood, in CoreDNS' form: where, what, and what was expected. */
export class CorefileError extends Error {
  override readonly name = 'CorefileError';
  private readonly position: Position;
  private readonly detail: string;
  private readonly plugin: string | undefined;

  /** `plugin`: whose line it is. */
  constructor(position: Position, detail: string, plugin?: string) {
    const { file, line } = position;
    super(`${plugin === undefined ? '' : `plugin/${plugin}: `}${file}:${line} - Error during parsing: ${detail}`);
    this.position = position;
    this.detail = detail;
    this.plugin = plugin;
  }

  /** The same, of this plugin where no other one is named. */
  of(plugin: string): CorefileError {
    return new CorefileError(this.position, this.detail, this.plugin ?? plugin);
  }
}

export interface Position {
  readonly file: string;
  readonly line: number;
}

/** A line of words, with the lines of its block. */
export interface Directive extends Position {
  readonly name: string;
  readonly words: readonly string[];
  /** Undefined without braces. */
  readonly block: readonly Directive[] | undefined;
}

export interface ServerBlock extends Position {
  readonly keys: readonly string[];
  readonly directives: readonly Directive[];
}

export interface CorefileOptions {
  /** Named in errors: `/etc/coredns/Corefile`. */
  readonly file: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The files that an `import` of a pattern brings in. */
  readonly readImport?: (pattern: string) => readonly { readonly file: string; readonly text: string }[];
}

interface Token extends Position {
  readonly text: string;
  readonly quoted: boolean;
}

export function parseCorefile(text: string, options: CorefileOptions): ServerBlock[] {
  const snippets = new Map<string, readonly Token[]>();
  const tokens = expandImports(tokenize(text, options.file, options.environment), snippets, options, 0);
  return new Parser(tokens).serverBlocks();
}

// --- words ---------------------------------------------------------------------------------------------------------

function tokenize(text: string, file: string, environment: CorefileOptions['environment']): Token[] {
  const tokens: Token[] = [];
  text.split(/\r?\n/).forEach((content, index) => {
    for (const word of wordsOf(content, { file, line: index + 1 })) {
      tokens.push({ ...word, text: withVariables(word.text, environment), file, line: index + 1 });
    }
  });
  return tokens;
}

function wordsOf(content: string, position: Position): { text: string; quoted: boolean }[] {
  const words: { text: string; quoted: boolean }[] = [];
  let at = 0;
  while (at < content.length) {
    const character = content[at] as string;
    if (/\s/.test(character)) at++;
    else if (character === '#') break;
    else if (character === '"') {
      const { text, end } = quotedWord(content, at + 1, position);
      words.push({ text, quoted: true });
      at = end;
    } else {
      const text = /^\S+/.exec(content.slice(at))?.[0] ?? '';
      words.push({ text, quoted: false });
      at += text.length;
    }
  }
  return words;
}

function quotedWord(content: string, start: number, position: Position): { text: string; end: number } {
  let text = '';
  for (let at = start; at < content.length; at++) {
    if (content[at] === '\\' && content[at + 1] === '"') text += content[++at];
    else if (content[at] === '"') return { text, end: at + 1 };
    else text += content[at];
  }
  throw new CorefileError(
    position,
    `the quote of "${content.slice(start)} is not closed: expected '"' on the same line`,
  );
}

function withVariables(text: string, environment: CorefileOptions['environment']): string {
  return text.replace(/\{\$([^}]+)\}|\{%([^%}]+)%\}/g, (_, dollar?: string, percent?: string) => {
    return environment[dollar ?? percent ?? ''] ?? '';
  });
}

// --- imports and snippets --------------------------------------------------------------------------------------------

const MAX_IMPORT_DEPTH = 16;

function expandImports(
  tokens: readonly Token[],
  snippets: Map<string, readonly Token[]>,
  options: CorefileOptions,
  depth: number,
): Token[] {
  const expanded: Token[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] as Token;
    const next = tokens[at + 1];
    const isLineStart = tokens[at - 1]?.line !== token.line || tokens[at - 1]?.file !== token.file;
    if (isLineStart && !token.quoted && /^\(.+\)$/.test(token.text)) {
      const end = blockEnd(tokens, at + 1, token);
      if (snippets.has(token.text.slice(1, -1))) {
        throw new CorefileError(token, `the snippet '${token.text}' is there already: expected another name`);
      }
      snippets.set(token.text.slice(1, -1), tokens.slice(at + 2, end));
      at = end;
    } else if (isLineStart && !token.quoted && token.text === 'import') {
      if (next === undefined || next.line !== token.line) {
        throw new CorefileError(token, "'import' needs the name of a snippet or a file pattern");
      }
      if (tokens[at + 2]?.line === token.line && tokens[at + 2]?.file === token.file) {
        throw new CorefileError(token, `'import ${next.text} ${tokens[at + 2]?.text}': expected one argument`);
      }
      if (depth >= MAX_IMPORT_DEPTH) throw new CorefileError(token, `imports lead in a circle at '${next.text}'`);
      expanded.push(...expandImports(imported(next, snippets, options), snippets, options, depth + 1));
      at++;
    } else {
      expanded.push(token);
    }
  }
  return expanded;
}

function blockEnd(tokens: readonly Token[], open: number, of: Token): number {
  if (tokens[open]?.text !== '{') throw new CorefileError(of, `expected '{' after the snippet '${of.text}'`);
  let depth = 0;
  for (let at = open; at < tokens.length; at++) {
    const { text, quoted } = tokens[at] as Token;
    if (quoted) continue;
    if (text === '{') depth++;
    if (text === '}' && --depth === 0) return at;
  }
  throw new CorefileError(of, `the block of '${of.text}' is not closed: expected '}'`);
}

function imported(
  name: Token,
  snippets: ReadonlyMap<string, readonly Token[]>,
  options: CorefileOptions,
): readonly Token[] {
  const snippet = snippets.get(name.text);
  if (snippet !== undefined) return snippet;
  const files = options.readImport?.(name.text) ?? [];
  if (files.length === 0 && !/[*?[]/.test(name.text)) {
    throw new CorefileError(name, `there is no snippet and no file '${name.text}' to import`);
  }
  return files.flatMap(({ file, text }) => tokenize(text, file, options.environment));
}

// --- blocks ----------------------------------------------------------------------------------------------------------

class Parser {
  private readonly tokens: readonly Token[];
  private at = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  serverBlocks(): ServerBlock[] {
    const blocks: ServerBlock[] = [];
    while (this.at < this.tokens.length) blocks.push(this.serverBlock());
    return blocks;
  }

  private serverBlock(): ServerBlock {
    const first = this.tokens[this.at] as Token;
    const keys: string[] = [];
    for (let token = this.tokens[this.at]; token !== undefined; token = this.tokens[this.at]) {
      if (isBrace(token, '{')) break;
      if (isBrace(token, '}')) throw new CorefileError(token, "expected a zone such as '.:53', not '}'");
      const continues = token.line === first.line || keys.at(-1)?.endsWith(',');
      if (!continues) throw new CorefileError(token, `expected '{' after '${keys.join(' ')}', not '${token.text}'`);
      keys.push(token.text);
      this.at++;
    }
    if (this.tokens[this.at] === undefined) throw new CorefileError(first, `expected '{' after '${keys.join(' ')}'`);
    if (keys.length === 0) throw new CorefileError(first, "expected a zone such as '.:53' before '{'");
    const names = keys.flatMap((key) => key.split(',')).filter((key) => key !== '');
    return { file: first.file, line: first.line, keys: names, directives: this.block(first) };
  }

  private block(of: Token): Directive[] {
    this.at++;
    const directives: Directive[] = [];
    for (let token = this.tokens[this.at]; token !== undefined; token = this.tokens[this.at]) {
      if (isBrace(token, '}')) {
        this.at++;
        return directives;
      }
      if (isBrace(token, '{')) throw new CorefileError(token, "expected the name of a plugin or property, not '{'");
      directives.push(this.directive(token));
    }
    throw new CorefileError(of, `the block of '${of.text}' is not closed: expected '}'`);
  }

  private directive(first: Token): Directive {
    const words: string[] = [];
    this.at++;
    for (let token = this.tokens[this.at]; token !== undefined; token = this.tokens[this.at]) {
      if (token.line !== first.line || token.file !== first.file || isBrace(token, '}')) break;
      if (isBrace(token, '{')) {
        const block = this.block(first);
        return { name: first.text, words, block, file: first.file, line: first.line };
      }
      words.push(token.text);
      this.at++;
    }
    return { name: first.text, words, block: undefined, file: first.file, line: first.line };
  }
}

function isBrace(token: Token, brace: '{' | '}'): boolean {
  return token.text === brace && !token.quoted;
}
