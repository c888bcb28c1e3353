/**
 * Calico's selectors (docs.tigera.io/calico, "Global network policy", section "Selectors"): `role == 'db' && !has(env)`,
 * `tier in {'a', 'b'} || name starts with "web"`, `all()`, `global()`. Read once; asked for every endpoint.
 */

/** The value of a label; undefined where the endpoint has none of this name. */
export type LabelLookup = (key: string) => string | undefined;

export interface CalicoSelector {
  readonly text: string;
  matches(label: LabelLookup): boolean;
}

/** Says where the text ceases to be a selector. */
export class SelectorSyntaxError extends Error {
  override readonly name = 'SelectorSyntaxError';
}

/** An empty text selects everything, as `all()` does. Throws SelectorSyntaxError. */
export function parseCalicoSelector(text: string): CalicoSelector {
  const matches = text.trim() === '' ? () => true : new Parser(text).parse();
  return { text, matches };
}

type Predicate = (label: LabelLookup) => boolean;

const TOKEN =
  /\s*(?:(&&|\|\||==|!=|!|\(|\)|\{|\}|,)|"([^"]*)"|'([^']*)'|(all\(\)|global\(\)|has\(\s*[\w./-]+\s*\))|([\w][\w./-]*))/y;

interface Token {
  readonly kind: 'symbol' | 'text' | 'call' | 'word';
  readonly value: string;
  readonly at: number;
}

class Parser {
  private readonly source: string;
  private readonly tokens: readonly Token[];
  private position = 0;

  constructor(source: string) {
    this.source = source;
    this.tokens = tokensOf(source);
  }

  parse(): Predicate {
    const predicate = this.anyOf();
    if (this.peek() !== undefined) throw this.unexpected("'&&', '||' or the end");
    return predicate;
  }

  private anyOf(): Predicate {
    const parts = [this.allOf()];
    while (this.takes('symbol', '||')) parts.push(this.allOf());
    return parts.length === 1 ? parts[0]! : (label) => parts.some((part) => part(label));
  }

  private allOf(): Predicate {
    const parts = [this.one()];
    while (this.takes('symbol', '&&')) parts.push(this.one());
    return parts.length === 1 ? parts[0]! : (label) => parts.every((part) => part(label));
  }

  private one(): Predicate {
    if (this.takes('symbol', '!')) {
      const negated = this.one();
      return (label) => !negated(label);
    }
    if (this.takes('symbol', '(')) {
      const inner = this.anyOf();
      if (!this.takes('symbol', ')')) throw this.unexpected("')'");
      return inner;
    }
    const token = this.next();
    if (token?.kind === 'call') return callOf(token.value);
    if (token?.kind === 'word') return this.comparison(token.value);
    this.position--;
    throw this.unexpected("a label's name, has(...), all(), '!' or '('");
  }

  private comparison(key: string): Predicate {
    if (this.takes('symbol', '==')) {
      const wanted = this.literal();
      return (label) => label(key) === wanted;
    }
    if (this.takes('symbol', '!=')) {
      const wanted = this.literal();
      return (label) => label(key) !== wanted;
    }
    if (this.takes('word', 'in')) {
      const wanted = this.set();
      return (label) => wanted.has(label(key) ?? null);
    }
    if (this.takes('word', 'not')) {
      if (!this.takes('word', 'in')) throw this.unexpected("'in'");
      const unwanted = this.set();
      return (label) => !unwanted.has(label(key) ?? null);
    }
    if (this.takes('word', 'contains')) {
      const part = this.literal();
      return (label) => label(key)?.includes(part) ?? false;
    }
    const isStart = this.takes('word', 'starts');
    if (!isStart && !this.takes('word', 'ends'))
      throw this.unexpected('==, !=, in, not in, contains, starts with or ends with');
    if (!this.takes('word', 'with')) throw this.unexpected("'with'");
    const part = this.literal();
    return isStart ? (label) => label(key)?.startsWith(part) ?? false : (label) => label(key)?.endsWith(part) ?? false;
  }

  private literal(): string {
    const token = this.next();
    if (token?.kind === 'text') return token.value;
    this.position--;
    throw this.unexpected('a text in quotes');
  }

  /** `{'a', 'b'}`; no label has the value null. */
  private set(): ReadonlySet<string | null> {
    if (!this.takes('symbol', '{')) throw this.unexpected("'{'");
    const values = new Set<string | null>();
    while (!this.takes('symbol', '}')) {
      if (values.size > 0 && !this.takes('symbol', ',')) throw this.unexpected("',' or '}'");
      values.add(this.literal());
    }
    return values;
  }

  private takes(kind: Token['kind'], value: string): boolean {
    const token = this.peek();
    if (token?.kind !== kind || token.value !== value) return false;
    this.position++;
    return true;
  }

  private peek(): Token | undefined {
    return this.tokens[this.position];
  }

  private next(): Token | undefined {
    return this.tokens[this.position++];
  }

  private unexpected(expected: string): SelectorSyntaxError {
    const token = this.peek();
    const found = token === undefined ? 'the end' : `'${this.source.slice(token.at)}'`;
    return new SelectorSyntaxError(`selector "${this.source}": found ${found}, expected ${expected}`);
  }
}

function tokensOf(source: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (source.slice(TOKEN.lastIndex).trim() !== '') {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(source);
    if (match === null) throw new SelectorSyntaxError(`selector "${source}": found '${source.slice(at).trim()}'`);
    const [, symbol, double, single, call, word] = match;
    const start = at + (match[0].length - match[0].trimStart().length);
    if (symbol !== undefined) tokens.push({ kind: 'symbol', value: symbol, at: start });
    else if (call !== undefined) tokens.push({ kind: 'call', value: call, at: start });
    else if (word !== undefined) tokens.push({ kind: 'word', value: word, at: start });
    else tokens.push({ kind: 'text', value: double ?? single ?? '', at: start });
  }
  return tokens;
}

/** What is in no namespace (`global()`) is no pod. */
function callOf(call: string): Predicate {
  const key = /^has\(\s*(.*?)\s*\)$/.exec(call)?.[1];
  if (key !== undefined) return (label) => label(key) !== undefined;
  return call === 'all()' ? () => true : () => false;
}
