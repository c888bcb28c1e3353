/** Walks over a filter's tokens, and words what is wrong with one. */
import { FilterError } from './filter-error.ts';
import { type Token, tokensOf } from './lexer.ts';

export class TokenReader {
  private readonly tokens: readonly Token[];
  private at = 0;

  constructor(text: string) {
    this.tokens = tokensOf(text);
  }

  /** The token `ahead` places on, without taking it; the end is repeated for ever. */
  peek(ahead = 0): Token {
    return this.tokens[this.at + ahead] ?? this.tokens.at(-1)!;
  }

  next(): Token {
    const token = this.peek();
    if (token.kind !== 'end') this.at++;
    return token;
  }

  /** Takes the token when it is this word or operator. */
  accept(...texts: readonly string[]): boolean {
    const token = this.peek();
    if (token.kind === 'end' || !texts.includes(token.text)) return false;
    this.at++;
    return true;
  }

  expect(text: string): void {
    const token = this.next();
    if (token.kind === 'end' || token.text !== text) throw this.wrong(token, `'${text}'`);
  }

  /** Tokens from the `(` at hand to the one after its `)`. */
  distanceToClosing(): number {
    let depth = 0;
    for (let ahead = 0; this.peek(ahead).kind !== 'end'; ahead++) {
      const { text } = this.peek(ahead);
      if (text === '(') depth++;
      if (text === ')' && --depth === 0) return ahead + 1;
    }
    return this.tokens.length;
  }

  wrong(token: Token, expected: string): FilterError {
    const found = token.kind === 'end' ? 'the filter ends' : `'${token.text}' stands`;
    return new FilterError(`syntax error: ${found} where ${expected} is expected`, token.position);
  }
}
