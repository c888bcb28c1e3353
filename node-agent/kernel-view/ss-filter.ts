/** The filters of `ss` (ss(8)): `state established`, `dst 10.0.0.1`, `'( sport = :80 or dport = :443 )'`, and their combinations. */
import { familyOf, type IpPrefix, isInNetwork, parseAddress, parsePrefix } from '../../shared/wire/ip-address.ts';
import { SERVICES } from '../images/commands/getent/well-known.ts';
import type { SocketRow } from './socket-rows.ts';

/** The text is what `ss` prints. */
export class SsFilterError extends Error {
  readonly code: number;

  constructor(message: string, code = 255) {
    super(message);
    this.code = code;
  }
}

type Test = (row: SocketRow) => boolean;

export interface SsFilter {
  /** Undefined where no `state` or `exclude` stands: the options decide. */
  readonly states: ReadonlySet<string> | undefined;
  readonly matches: Test;
}

const STATE_NAMES: Readonly<Record<string, string>> = {
  established: 'ESTAB',
  'syn-sent': 'SYN-SENT',
  'syn-recv': 'SYN-RECV',
  'fin-wait-1': 'FIN-WAIT-1',
  'fin-wait-2': 'FIN-WAIT-2',
  'time-wait': 'TIME-WAIT',
  closed: 'UNCONN',
  'close-wait': 'CLOSE-WAIT',
  'last-ack': 'LAST-ACK',
  listening: 'LISTEN',
  closing: 'CLOSING',
};
const ALL = Object.values(STATE_NAMES);
const without = (...names: string[]): string[] => ALL.filter((name) => !names.includes(name));

const GROUPS: Readonly<Record<string, readonly string[]>> = {
  all: ALL,
  connected: without('LISTEN', 'UNCONN'),
  synchronized: without('LISTEN', 'UNCONN', 'SYN-SENT'),
  bucket: ['SYN-RECV', 'TIME-WAIT'],
  big: without('SYN-RECV', 'TIME-WAIT'),
};

/** `words`: what stands behind the options. Throws SsFilterError. */
export function parseSsFilter(words: readonly string[]): SsFilter {
  let at = 0;
  let states: Set<string> | undefined;
  for (; words[at] === 'state' || words[at] === 'exclude' || words[at] === 'excl'; at += 2) {
    const named = statesOf(words[at + 1]);
    if (words[at] === 'state') states = new Set([...(states ?? []), ...named]);
    else states = new Set([...(states ?? ALL)].filter((name) => !named.includes(name)));
  }
  const rest = words.slice(at).join(' ');
  return { states, matches: rest === '' ? () => true : new ExpressionReader(rest).read() };
}

function statesOf(name: string | undefined): readonly string[] {
  const named = GROUPS[name ?? ''] ?? [STATE_NAMES[name ?? '']];
  if (named[0] === undefined) throw new SsFilterError(`ss: wrong state name: ${name ?? ''}`);
  return named as readonly string[]; // the first is one, so all are
}

const COMPARISONS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '=': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '>=': (a, b) => a >= b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '<': (a, b) => a < b,
};
const WORDS: Readonly<Record<string, string>> = {
  '==': '=',
  eq: '=',
  ne: '!=',
  neq: '!=',
  ge: '>=',
  geq: '>=',
  le: '<=',
  leq: '<=',
  gt: '>',
  lt: '<',
  '&': 'and',
  '&&': 'and',
  '|': 'or',
  '||': 'or',
  not: '!',
};

/** `or` binds less than `and`, which may be left out, and that less than `not`. */
class ExpressionReader {
  private readonly tokens: readonly string[];
  private at = 0;

  constructor(text: string) {
    const found = text.match(/[()]|[!=<>]=?|&&?|\|\|?|[^\s()!=<>&|]+/g) ?? [];
    this.tokens = found.map((token) => WORDS[token] ?? token);
  }

  read(): Test {
    const test = this.either();
    if (this.at < this.tokens.length) throw syntaxError();
    return test;
  }

  private either(): Test {
    let test = this.all();
    while (this.take('or')) {
      const [one, other] = [test, this.all()];
      test = (row) => one(row) || other(row);
    }
    return test;
  }

  private all(): Test {
    let test = this.single();
    for (
      let next = this.tokens[this.at];
      next !== undefined && next !== 'or' && next !== ')';
      next = this.tokens[this.at]
    ) {
      this.take('and');
      const [one, other] = [test, this.single()];
      test = (row) => one(row) && other(row);
    }
    return test;
  }

  private single(): Test {
    if (this.take('!')) {
      const test = this.single();
      return (row) => !test(row);
    }
    if (this.take('(')) {
      const test = this.either();
      if (!this.take(')')) throw syntaxError();
      return test;
    }
    const token = this.next();
    if (token === 'sport' || token === 'dport') return this.port(token);
    if (token === 'src' || token === 'dst') return this.host(token, this.comparison() ?? '=', this.next());
    return this.host('dst', '=', token);
  }

  private port(side: 'sport' | 'dport'): Test {
    const comparison = this.comparison();
    if (comparison === undefined) throw syntaxError();
    const compare = COMPARISONS[comparison]!;
    const wanted = portOf(this.next().replace(/^.*:/, ''));
    return (row) => compare(side === 'sport' ? row.localPort : row.remotePort, wanted);
  }

  private host(side: 'src' | 'dst', comparison: string, text: string): Test {
    if (comparison !== '=' && comparison !== '!=') throw syntaxError();
    const { network, port } = hostOf(text);
    const fits: Test = (row) => {
      const [address, itsPort] =
        side === 'src' ? [row.localAddress, row.localPort] : [row.remoteAddress, row.remotePort];
      if (port !== undefined && itsPort !== port) return false;
      if (network === undefined) return true;
      const known = parseAddress(address);
      if (known === undefined || familyOf(known) !== familyOf(network.address)) return false;
      return isInNetwork(known, network.address, network.prefixLength);
    };
    return comparison === '=' ? fits : (row) => !fits(row);
  }

  private comparison(): string | undefined {
    const token = this.tokens[this.at] ?? '';
    if (COMPARISONS[token] === undefined) return undefined;
    this.at++;
    return token;
  }

  private take(token: string): boolean {
    if (this.tokens[this.at] !== token) return false;
    this.at++;
    return true;
  }

  private next(): string {
    const token = this.tokens[this.at++];
    if (token === undefined || token === ')' || token === 'and' || token === 'or') throw syntaxError();
    return token;
  }
}

function syntaxError(): SsFilterError {
  return new SsFilterError('ss: bison bellows (while parsing filter): "syntax error!" Sorry.');
}

/** `10.0.0.1`, `10.0.0.0/8`, `10.0.0.1:80`, `[fd00::1]:80`, `fd00::/64`, `:80`, `*:80`. */
function hostOf(text: string): { readonly network: IpPrefix | undefined; readonly port: number | undefined } {
  const parts = /^(?:\[(?<bracketed>[^\]]*)\]|(?<plain>[^:]*))(?::(?<port>[^:]+))?$/.exec(text)?.groups;
  const host = parts === undefined ? text : (parts.bracketed ?? parts.plain ?? '');
  const port = parts?.port === undefined || parts.port === '*' ? undefined : portOf(parts.port);
  if (host === '' || host === '*') return { network: undefined, port };
  const network = host.includes('/') ? parsePrefix(host) : wholeOf(host);
  if (network === undefined) {
    throw new SsFilterError(
      `Error: an inet prefix is expected rather than "${host}".\nCannot parse dst/src address.`,
      1,
    );
  }
  return { network, port };
}

function wholeOf(host: string): IpPrefix | undefined {
  const address = parseAddress(host);
  return address === undefined ? undefined : parsePrefix(`${host}/${host.includes(':') ? 128 : 32}`);
}

function portOf(text: string): number {
  if (/^[0-9]+$/.test(text)) return Number(text);
  const known = SERVICES.find(({ name, aliases }) => name === text || aliases.includes(text));
  if (known === undefined)
    throw new SsFilterError(`Error: "${text}" does not look like a port.\nCannot parse dst/src address.`, 1);
  return Number(known.value.split('/')[0]);
}
