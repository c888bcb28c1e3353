/** Addresses, networks, ports and protocol numbers with the keywords before them. */
import { networkOf, parseIpv4, prefixMask } from '../address.ts';
import { ipv6MaskWord, parseIpv6Words } from '../ipv6-address.ts';
import { FilterError } from './filter-error.ts';
import type { Token } from './lexer.ts';
import { ETHERTYPES, IP_PROTOCOLS, SCTP, SERVICES, TCP, UDP, UNSUPPORTED } from './names.ts';
import type { Direction, Primitive } from './syntax.ts';
import type { TokenReader } from './token-reader.ts';

export interface Qualifiers {
  readonly protocol?: string;
  readonly direction: Direction;
  readonly type: 'host' | 'net' | 'port' | 'portrange';
}

/** `begin` is where the primitive starts, for what is wrong with it as a whole. Throws FilterError. */
export function parseIdentifier(tokens: TokenReader, qualifiers: Qualifiers, begin = tokens.peek()): Primitive {
  const token = tokens.next();
  if (qualifiers.type === 'port' || qualifiers.type === 'portrange')
    return parsePorts(tokens, token, qualifiers, begin);
  if (qualifiers.type === 'net') return parseNet(tokens, token, qualifiers);
  return parseHost(tokens, token, qualifiers);
}

/** `ether proto`, `ip proto`, `ip6 proto`, `proto`: a number or a name. */
export function parseProtocolNumber(tokens: TokenReader, layer: string | undefined): Primitive {
  const token = tokens.next();
  const isNumber = token.kind === 'number';
  if (layer === 'ether') {
    const type = isNumber ? Number(token.text) : ETHERTYPES[token.text];
    if (type === undefined) throw tokens.wrong(token, 'an ethertype');
    return { kind: 'ethertype', type };
  }
  const protocol = isNumber ? Number(token.text) : IP_PROTOCOLS[token.text]?.protocol;
  if (protocol === undefined) throw tokens.wrong(token, 'an IP protocol');
  return { kind: 'ip-protocol', family: layer === 'ip' ? 4 : layer === 'ip6' ? 6 : 'any', protocol };
}

function parseHost(tokens: TokenReader, token: Token, qualifiers: Qualifiers): Primitive {
  const { direction } = qualifiers;
  if (token.kind === 'mac') return { kind: 'mac', direction, address: macOf(token.text) };
  if (qualifiers.protocol === 'ether') throw tokens.wrong(token, 'a MAC address');
  if (tokens.peek().text === '/') return parseNet(tokens, token, qualifiers);
  if (token.kind === 'ipv6') return { kind: 'net6', direction, address: ipv6Words(token), mask: maskWords(128) };
  if (token.kind === 'word') throw unknownWord(token);
  // Of an address without its last octets tcpdump makes their network.
  const octets = token.kind === 'ipv4' ? token.text.split('.') : [];
  const address = parseIpv4([...octets, '0', '0', '0'].slice(0, 4).join('.'));
  if (octets.length === 0 || address === undefined) throw tokens.wrong(token, 'an address');
  const mask = prefixMask(octets.length * 8);
  return { kind: 'net', direction, within: familyOf(tokens, token, qualifiers), address, mask };
}

function parseNet(tokens: TokenReader, token: Token, qualifiers: Qualifiers): Primitive {
  const { direction } = qualifiers;
  if (token.kind === 'ipv6') {
    const length = tokens.accept('/') ? prefixLength(tokens, 128) : 128;
    const address = ipv6Words(token);
    const mask = maskWords(length);
    if (address.some((word, i) => (word & ~mask[i]!) !== 0)) throw hostBitsSet(token, `${token.text}/${length}`);
    return { kind: 'net6', direction, address, mask };
  }
  const octets = token.kind === 'ipv4' || token.kind === 'number' ? token.text.split('.') : [];
  const address = parseIpv4([...octets, '0', '0', '0'].slice(0, 4).join('.'));
  if (octets.length === 0 || address === undefined) throw tokens.wrong(token, 'a network such as 10.244.0.0/16');
  const within = familyOf(tokens, token, qualifiers);
  if (tokens.accept('mask')) {
    const mask = parseIpv4(tokens.peek().text);
    if (mask === undefined) throw tokens.wrong(tokens.peek(), 'a mask such as 255.255.0.0');
    tokens.next();
    if ((address & ~mask) !== 0) throw hostBitsSet(token, token.text);
    return { kind: 'net', direction, within, address, mask };
  }
  const length = tokens.accept('/') ? prefixLength(tokens, 32) : octets.length * 8;
  if (networkOf(address, length) !== address) throw hostBitsSet(token, `${token.text}/${length}`);
  return { kind: 'net', direction, within, address, mask: prefixMask(length) };
}

function parsePorts(
  tokens: TokenReader,
  token: Token,
  { protocol, direction, type }: Qualifiers,
  begin: Token,
): Primitive {
  const [from = '', to = from] = type === 'portrange' ? token.text.split('-') : [token.text];
  const [first, last] = [portOf(from), portOf(to)];
  if (first === undefined || last === undefined) {
    throw tokens.wrong(token, type === 'port' ? 'a port from 0 to 65535' : 'a range of ports such as 8000-8080');
  }
  const transports = { undefined: [TCP, UDP, SCTP], tcp: [TCP], udp: [UDP], sctp: [SCTP] }[String(protocol)];
  if (transports === undefined) throw new FilterError(`'${protocol}' has no ports`, begin.position);
  return { kind: 'port', direction, transports, first: Math.min(first, last), last: Math.max(first, last) };
}

function portOf(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) <= 65_535 ? Number(text) : undefined;
  return SERVICES[text];
}

function prefixLength(tokens: TokenReader, maximum: number): number {
  const token = tokens.next();
  const length = token.kind === 'number' ? Number(token.text) : Number.NaN;
  if (!(length <= maximum)) throw tokens.wrong(token, `a prefix length from 0 to ${maximum}`);
  return length;
}

function familyOf(tokens: TokenReader, token: Token, { protocol }: Qualifiers): 'ip' | 'arp' | 'rarp' | undefined {
  switch (protocol) {
    case undefined:
    case 'ip':
    case 'arp':
    case 'rarp':
      return protocol;
    default:
      throw tokens.wrong(token, `an address that ${protocol} can have`);
  }
}

function unknownWord({ text, position }: Token): FilterError {
  if (UNSUPPORTED.has(text)) return new FilterError(`'${text}' is not among what filters know here`, position);
  return new FilterError(`unknown host '${text}': names are not resolved, give an address`, position);
}

function hostBitsSet(token: Token, text: string): FilterError {
  return new FilterError(`non-network bits set in '${text}'`, token.position);
}

/** Six octets of one or two digits, or three words of four. */
function macOf(text: string): number {
  const parts = text.split(/[:.-]/);
  const digits = 12 / parts.length;
  return Number.parseInt(parts.map((part) => part.padStart(digits, '0')).join(''), 16);
}

function ipv6Words(token: Token): number[] {
  const words = parseIpv6Words(token.text);
  if (words === undefined) throw new FilterError(`'${token.text}' is no IPv6 address`, token.position);
  return words;
}

function maskWords(length: number): number[] {
  return [0, 1, 2, 3].map((index) => ipv6MaskWord(length, index) >>> 0);
}
