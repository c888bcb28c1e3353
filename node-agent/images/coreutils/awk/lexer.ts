/** Tokens of an awk program. Whether `/` divides or starts an expression depends on what came before. */
import { UsageError } from '../options.ts';

export interface Token {
  readonly kind:
    | 'number'
    | 'string'
    | 'regex'
    | 'name'
    | 'function-name'
    | 'keyword'
    | 'builtin'
    | 'operator'
    | 'newline'
    | 'end';
  readonly text: string;
}

const KEYWORDS = new Set([
  'BEGIN',
  'END',
  'function',
  'func',
  'if',
  'else',
  'while',
  'for',
  'do',
  'break',
  'continue',
  'next',
  'nextfile',
  'exit',
  'return',
  'delete',
  'in',
  'getline',
  'print',
  'printf',
]);

const BUILTINS = new Set([
  'length',
  'substr',
  'index',
  'split',
  'sub',
  'gsub',
  'match',
  'sprintf',
  'sin',
  'cos',
  'atan2',
  'exp',
  'log',
  'sqrt',
  'int',
  'rand',
  'srand',
  'tolower',
  'toupper',
  'system',
  'close',
  'fflush',
  'systime',
  'strftime',
]);

const OPERATORS = [
  '**=',
  '&&',
  '||',
  '==',
  '!=',
  '<=',
  '>=',
  '++',
  '--',
  '+=',
  '-=',
  '*=',
  '/=',
  '%=',
  '^=',
  '!~',
  '>>',
  '**',
  '{',
  '}',
  '(',
  ')',
  '[',
  ']',
  ';',
  ',',
  '+',
  '-',
  '*',
  '/',
  '%',
  '^',
  '!',
  '>',
  '<',
  '|',
  '?',
  ':',
  '~',
  '$',
  '=',
];

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '\\': '\\',
  '"': '"',
  '/': '/',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
};

export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let index = 0;
  while (index < source.length) {
    const rest = source.slice(index);
    const skipped = /^(?:[ \t\r]+|\\\r?\n|#[^\n]*)/.exec(rest);
    if (skipped !== null) {
      index += skipped[0].length;
      continue;
    }
    const token = nextToken(rest, tokens.at(-1));
    tokens.push(token.token);
    index += token.length;
  }
  tokens.push({ kind: 'end', text: 'end of program' });
  return tokens;
}

function nextToken(rest: string, before: Token | undefined): { readonly token: Token; readonly length: number } {
  if (rest.startsWith('\n')) return { token: { kind: 'newline', text: '\n' }, length: 1 };
  const number = /^(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)/.exec(rest);
  if (number !== null) return { token: { kind: 'number', text: number[0] }, length: number[0].length };
  if (rest.startsWith('"')) return stringToken(rest);
  const name = /^[A-Za-z_]\w*/.exec(rest)?.[0];
  if (name !== undefined) {
    const kind = KEYWORDS.has(name)
      ? 'keyword'
      : BUILTINS.has(name)
        ? 'builtin'
        : rest.charAt(name.length) === '('
          ? 'function-name'
          : 'name';
    return { token: { kind, text: name }, length: name.length };
  }
  if (rest.startsWith('/') && !divides(before)) return regexToken(rest);
  const operator = OPERATORS.find((candidate) => rest.startsWith(candidate));
  if (operator === undefined) throw new UsageError(`cmd. line:1: Unexpected token ${rest.charAt(0)}`);
  return {
    token: { kind: 'operator', text: operator === '**' ? '^' : operator === '**=' ? '^=' : operator },
    length: operator.length,
  };
}

function divides(before: Token | undefined): boolean {
  if (before === undefined) return false;
  if (before.kind === 'number' || before.kind === 'string' || before.kind === 'name' || before.kind === 'builtin')
    return true;
  return before.kind === 'operator' && [')', ']', '$', '++', '--'].includes(before.text);
}

function stringToken(rest: string): { readonly token: Token; readonly length: number } {
  let text = '';
  let index = 1;
  for (; index < rest.length && rest.charAt(index) !== '"'; index++) {
    if (rest.charAt(index) !== '\\') {
      text += rest.charAt(index);
      continue;
    }
    const octal = /^[0-7]{1,3}/.exec(rest.slice(index + 1));
    if (octal !== null) {
      text += String.fromCharCode(Number.parseInt(octal[0], 8));
      index += octal[0].length;
      continue;
    }
    index += 1;
    const letter = rest.charAt(index);
    // An unknown escape keeps its backslash: it is meant for a regular expression.
    text += ESCAPES[letter] ?? (letter === '\n' ? '' : `\\${letter}`);
  }
  if (index >= rest.length) throw new UsageError('cmd. line:1: Unterminated string');
  return { token: { kind: 'string', text }, length: index + 1 };
}

function regexToken(rest: string): { readonly token: Token; readonly length: number } {
  let inBracket = false;
  let index = 1;
  for (; index < rest.length; index++) {
    const character = rest.charAt(index);
    if (character === '\\') index += 1;
    else if (character === '[') inBracket = true;
    else if (character === ']') inBracket = false;
    else if (character === '/' && !inBracket) break;
    else if (character === '\n') throw new UsageError('cmd. line:1: Unterminated regex');
  }
  return { token: { kind: 'regex', text: rest.slice(1, index).replaceAll('\\/', '/') }, length: index + 1 };
}
