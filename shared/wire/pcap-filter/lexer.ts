/** The words of a filter: addresses are recognised as such here, so that `tcp[13:2]` and `fd00::1` can share the colon. */
import { FilterError } from './filter-error.ts';

export type TokenKind = 'word' | 'number' | 'range' | 'ipv4' | 'ipv6' | 'mac' | 'operator' | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** As written; a backslash before a word (`\ip`) is gone. */
  readonly text: string;
  readonly position: number;
}

const PATTERNS: readonly (readonly [kind: TokenKind, pattern: RegExp])[] = [
  // a:b:c:d:e:f with one separator of three, or as Cisco writes it.
  ['mac', /[0-9a-fA-F]{1,2}([:.-])[0-9a-fA-F]{1,2}(?:\1[0-9a-fA-F]{1,2}){4}(?![\w:.-])/y],
  ['mac', /[0-9a-fA-F]{4}(?:\.[0-9a-fA-F]{4}){2}(?![\w.])/y],
  ['ipv6', /(?=[0-9a-fA-F]*:[0-9a-fA-F]*:)[0-9a-fA-F:.]+/y],
  ['ipv4', /\d+(?:\.\d+){1,3}(?![\w.])/y],
  ['range', /\d+-\d+(?!\w)/y],
  ['number', /(?:0[xX][0-9a-fA-F]+|\d+)(?!\w)/y],
  ['word', /\\?[A-Za-z_][\w.-]*/y],
  ['operator', /&&|\|\||<<|>>|<=|>=|==|!=|[!()[\]:/=<>+\-*%&|^]/y],
];

/** Ends with a token of kind `end`. Throws FilterError at a character that begins nothing. */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  for (;;) {
    while (/\s/.test(text[position] ?? '')) position++;
    if (position >= text.length) break;
    const token = tokenAt(text, position);
    if (token === undefined) throw new FilterError(`'${text[position]}' begins no word of a filter`, position);
    tokens.push({ ...token, text: token.text.replace(/^\\/, '') });
    position += token.text.length;
  }
  tokens.push({ kind: 'end', text: '', position: text.length });
  return tokens;
}

function tokenAt(text: string, position: number): Token | undefined {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = position;
    const match = pattern.exec(text);
    if (match !== null) return { kind, text: match[0], position };
  }
  return undefined;
}
