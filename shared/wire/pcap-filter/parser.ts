/**
 * tcpdump's filter language (pcap-filter(7)) as a tree. `and` and `or` bind equally and from the left, `not` binds tighter;
 * an address without a keyword takes the keywords before it (`port 80 or 443`). Names of hosts are not resolved.
 */
import { beginsRelation, parseRelation } from './arithmetic.ts';
import { FilterError } from './filter-error.ts';
import { ETHERTYPES, IP_PROTOCOLS } from './names.ts';
import { parseIdentifier, parseProtocolNumber, type Qualifiers } from './primitive.ts';
import type { Direction, Expression, Primitive } from './syntax.ts';
import { TokenReader } from './token-reader.ts';

/** Throws FilterError. An empty text is no expression: undefined. */
export function parseFilter(text: string): Expression | undefined {
  if (text.trim() === '') return undefined;
  const parser = new Parser(text);
  return parser.parse();
}

const TYPES = ['host', 'net', 'port', 'portrange', 'proto', 'broadcast', 'multicast'] as const;
type IdentifierType = (typeof TYPES)[number];

class Parser {
  private readonly tokens: TokenReader;
  /** Of the primitive before. */
  private carried: Qualifiers | undefined;

  constructor(text: string) {
    this.tokens = new TokenReader(text);
  }

  parse(): Expression {
    const expression = this.expression();
    const rest = this.tokens.peek();
    if (rest.kind !== 'end') throw this.tokens.wrong(rest, "'and', 'or' or the end");
    return expression;
  }

  private expression(): Expression {
    let left = this.term();
    for (;;) {
      if (this.tokens.accept('and', '&&')) left = { kind: 'and', left, right: this.term() };
      else if (this.tokens.accept('or', '||')) left = { kind: 'or', left, right: this.term() };
      else return left;
    }
  }

  private term(): Expression {
    const { tokens } = this;
    if (tokens.accept('not', '!')) return { kind: 'not', operand: this.term() };
    if (beginsRelation(tokens)) return parseRelation(tokens);
    if (tokens.accept('(')) {
      const inner = this.expression();
      tokens.expect(')');
      return inner;
    }
    return this.primitive();
  }

  private primitive(): Primitive {
    return this.standAlone() ?? this.qualified();
  }

  /** Primitives that are one word, some with a number. */
  private standAlone(): Primitive | undefined {
    const { tokens } = this;
    const { text } = tokens.peek();
    switch (text) {
      case 'vlan':
      case 'vxlan':
      case 'geneve':
        tokens.next();
        return { kind: 'inside', what: text, id: this.optionalNumber() };
      case 'less':
      case 'greater':
        tokens.next();
        return {
          kind: 'relation',
          comparison: text === 'less' ? '<=' : '>=',
          left: { kind: 'length' },
          right: { kind: 'constant', value: this.number() },
        };
      case 'inbound':
      case 'outbound':
        tokens.next();
        return { kind: 'travels', outbound: text === 'outbound' };
      default:
        return undefined;
    }
  }

  /** `[protocol] [direction] [type] identifier`, or a protocol alone. */
  private qualified(): Primitive {
    const { tokens } = this;
    const begin = tokens.peek();
    const protocol = this.protocol();
    const direction = this.direction();
    const type = this.type();
    if (type === 'broadcast' || type === 'multicast') {
      const layer = protocol === 'ip' || protocol === 'ip6' ? protocol : 'ether';
      if (layer === 'ip6' && type === 'broadcast') throw new FilterError('IPv6 has no broadcast', begin.position);
      return { kind: 'group', layer, what: type };
    }
    if (type === 'proto') return parseProtocolNumber(tokens, protocol);
    if (type === undefined && direction === undefined) {
      if (protocol !== undefined) return this.protocolAlone(protocol);
      return parseIdentifier(tokens, this.carried ?? { type: 'host', direction: 'src or dst' });
    }
    const qualifiers: Qualifiers = { protocol, direction: direction ?? 'src or dst', type: type ?? 'host' };
    this.carried = qualifiers;
    return parseIdentifier(tokens, qualifiers, begin);
  }

  private protocolAlone(name: string): Primitive {
    const ethertype = ETHERTYPES[name];
    if (ethertype !== undefined) return { kind: 'ethertype', type: ethertype };
    const ip = IP_PROTOCOLS[name];
    if (ip !== undefined) return { kind: 'ip-protocol', ...ip };
    throw this.tokens.wrong(
      this.tokens.peek(),
      `'host', 'src', 'dst', 'proto', 'broadcast' or 'multicast' after ${name}`,
    );
  }

  private protocol(): string | undefined {
    const { kind, text } = this.tokens.peek();
    if (kind !== 'word') return undefined;
    if (!(text in ETHERTYPES) && !(text in IP_PROTOCOLS) && text !== 'ether' && text !== 'link') return undefined;
    this.tokens.next();
    return text === 'link' ? 'ether' : text;
  }

  /** `src`, `dst`, `src or dst`, `src and dst` */
  private direction(): Direction | undefined {
    const { tokens } = this;
    const first = tokens.peek().text;
    if (first !== 'src' && first !== 'dst') return undefined;
    const other = first === 'src' ? 'dst' : 'src';
    tokens.next();
    if (tokens.peek(1).text === other) {
      const joint = tokens.peek().text;
      if (joint === 'or' || joint === '||' || joint === 'and' || joint === '&&') {
        tokens.next();
        tokens.next();
        return joint === 'or' || joint === '||' ? 'src or dst' : 'src and dst';
      }
    }
    return first;
  }

  private type(): IdentifierType | undefined {
    const type = TYPES.find((candidate) => candidate === this.tokens.peek().text);
    if (type !== undefined) this.tokens.next();
    return type;
  }

  private optionalNumber(): number | undefined {
    return this.tokens.peek().kind === 'number' ? this.number() : undefined;
  }

  private number(): number {
    const token = this.tokens.next();
    if (token.kind !== 'number') throw this.tokens.wrong(token, 'a number');
    return Number(token.text);
  }
}
