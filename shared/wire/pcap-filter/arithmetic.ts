/** Relations between numbers of a packet: `tcp[tcpflags] & (tcp-syn|tcp-fin) != 0`, `len - 20 > 100`. */
import { FIELD_VALUES } from './names.ts';
import type { Arithmetic, ByteBase, Comparison, Operator, Primitive } from './syntax.ts';
import type { TokenReader } from './token-reader.ts';

const BYTE_BASES: Readonly<Record<string, ByteBase>> = {
  ether: 'ether',
  link: 'ether',
  ip: 'ip',
  ip6: 'ip6',
  arp: 'arp',
  rarp: 'rarp',
  tcp: 'tcp',
  udp: 'udp',
  sctp: 'sctp',
  icmp: 'icmp',
  icmp6: 'icmp6',
  igmp: 'igmp',
};

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  '=': '=',
  '==': '=',
  '!=': '!=',
  '<': '<',
  '>': '>',
  '<=': '<=',
  '>=': '>=',
};

/** Loosest first. */
const PRECEDENCE: readonly (readonly Operator[])[] = [['|'], ['^'], ['&'], ['<<', '>>'], ['+', '-'], ['*', '/', '%']];
const OPERATORS = new Set<string>(PRECEDENCE.flat());

/** Whether the next tokens begin a relation rather than an address, a protocol or a group of primitives. */
export function beginsRelation(tokens: TokenReader): boolean {
  const { kind, text } = tokens.peek();
  if (kind === 'word') {
    if (text in BYTE_BASES && tokens.peek(1).text === '[') return true;
    return (text === 'len' || text in FIELD_VALUES) && followsArithmetic(tokens.peek(1).text);
  }
  if (kind === 'number') return followsArithmetic(tokens.peek(1).text);
  if (text === '-') return true;
  return text === '(' && followsArithmetic(tokens.peek(tokens.distanceToClosing()).text);
}

function followsArithmetic(text: string): boolean {
  return text in COMPARISONS || OPERATORS.has(text);
}

export function parseRelation(tokens: TokenReader): Primitive {
  const left = parseArithmetic(tokens);
  const token = tokens.next();
  const comparison = COMPARISONS[token.text];
  if (comparison === undefined) throw tokens.wrong(token, 'a comparison (=, !=, <, >, <=, >=)');
  return { kind: 'relation', comparison, left, right: parseArithmetic(tokens) };
}

function parseArithmetic(tokens: TokenReader, level = 0): Arithmetic {
  const operators: readonly string[] | undefined = PRECEDENCE[level];
  if (operators === undefined) return parseOperand(tokens);
  let left = parseArithmetic(tokens, level + 1);
  while (operators.includes(tokens.peek().text)) {
    const operator = tokens.next().text as Operator; // one of this level's
    left = { kind: 'binary', operator, left, right: parseArithmetic(tokens, level + 1) };
  }
  return left;
}

function parseOperand(tokens: TokenReader): Arithmetic {
  const token = tokens.next();
  if (token.text === '(') {
    const inner = parseArithmetic(tokens);
    tokens.expect(')');
    return inner;
  }
  if (token.text === '-') {
    return {
      kind: 'binary',
      operator: '-',
      left: { kind: 'constant', value: 0 },
      right: parseOperand(tokens),
    };
  }
  if (token.kind === 'number') return { kind: 'constant', value: Number(token.text) >>> 0 };
  if (token.text === 'len') return { kind: 'length' };
  const value = FIELD_VALUES[token.text];
  if (value !== undefined) return { kind: 'constant', value };
  const base = BYTE_BASES[token.text];
  if (base === undefined || tokens.peek().text !== '[') {
    throw tokens.wrong(token, "a number, 'len', or bytes of a header such as tcp[13]");
  }
  return parseLoad(tokens, base);
}

/** `[offset]` or `[offset:size]` */
function parseLoad(tokens: TokenReader, base: ByteBase): Arithmetic {
  tokens.expect('[');
  const offset = parseArithmetic(tokens);
  let bytes: 1 | 2 | 4 = 1;
  if (tokens.accept(':')) {
    const token = tokens.next();
    const size = ([1, 2, 4] as const).find((candidate) => String(candidate) === token.text);
    if (size === undefined) throw tokens.wrong(token, 'a size of 1, 2 or 4 bytes');
    bytes = size;
  }
  tokens.expect(']');
  return { kind: 'load', base, offset, bytes };
}
