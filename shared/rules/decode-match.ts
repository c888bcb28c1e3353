/** Match extensions from a message. */
import { RulesDecodeError } from './decode-error.ts';
import { asFields, asList, type Fields, flag, integer, oneOf, optionalInteger, text } from './decode-value.ts';
import { CONNECTION_STATES, type Match, type PhysdevMatch, type PortRange, RECENT_MODES } from './match.ts';
import type { TcpFlags } from './tcp-flags.ts';

const SIDES = ['source', 'destination'] as const;
const MAX_UINT32 = 0xffff_ffff;

type Decoder = (fields: Fields, path: string) => Match;

const decoders: Readonly<Record<Match['kind'], Decoder>> = {
  tcp: (fields, path) => decodePorts('tcp', fields, path),
  udp: (fields, path) => decodePorts('udp', fields, path),
  sctp: (fields, path) => decodePorts('sctp', fields, path),
  icmp: (fields, path) => decodeIcmp('icmp', fields, path),
  icmp6: (fields, path) => decodeIcmp('icmp6', fields, path),
  multiport: (fields, path) => ({
    kind: 'multiport',
    side: oneOf(fields, 'side', path, SIDES),
    ports: asList(fields.ports, `${path}.ports`).map((item, i) => decodeRange(item, `${path}.ports[${i}]`)),
  }),
  comment: (fields, path) => ({ kind: 'comment', comment: text(fields, 'comment', path) }),
  statistic: (fields, path) => ({ kind: 'statistic', probability: decodeProbability(fields.probability, path) }),
  mark: (fields, path) => ({
    kind: 'mark',
    value: integer(fields, 'value', path, 0, MAX_UINT32),
    mask: integer(fields, 'mask', path, 0, MAX_UINT32),
    negated: flag(fields, 'negated', path),
  }),
  conntrack: (fields, path) => ({
    kind: 'conntrack',
    states: asList(fields.states, `${path}.states`).map((state, i) =>
      oneOf({ state }, 'state', `${path}.states[${i}]`, CONNECTION_STATES),
    ),
    negated: flag(fields, 'negated', path),
  }),
  addrtype: (fields, path) => ({
    kind: 'addrtype',
    side: oneOf(fields, 'side', path, SIDES),
    type: oneOf(fields, 'type', path, ['LOCAL'] as const),
    ofInDevice: flag(fields, 'ofInDevice', path),
    negated: flag(fields, 'negated', path),
  }),
  physdev: (fields, path) => ({
    kind: 'physdev',
    test: decodePhysdevTest(asFields(fields.test, `${path}.test`), `${path}.test`),
    negated: flag(fields, 'negated', path),
  }),
  recent: (fields, path) => ({
    kind: 'recent',
    mode: oneOf(fields, 'mode', path, RECENT_MODES),
    list: text(fields, 'list', path),
    seconds: optionalInteger(fields, 'seconds', path, 1, MAX_UINT32),
    reap: flag(fields, 'reap', path),
    negated: flag(fields, 'negated', path),
  }),
  set: (fields, path) => ({
    kind: 'set',
    set: text(fields, 'set', path),
    sides: asList(fields.sides, `${path}.sides`).map((side, i) =>
      oneOf({ side }, 'side', `${path}.sides[${i}]`, ['src', 'dst'] as const),
    ),
    negated: flag(fields, 'negated', path),
  }),
  nfacct: (fields, path) => ({ kind: 'nfacct', name: text(fields, 'name', path) }),
};

const KINDS = Object.keys(decoders) as readonly Match['kind'][]; // keys of a Record over that very union

export function decodeMatch(value: unknown, path: string): Match {
  const fields = asFields(value, path);
  return decoders[oneOf(fields, 'kind', path, KINDS)](fields, path);
}

function decodePorts(kind: 'tcp' | 'udp' | 'sctp', fields: Fields, path: string): Match {
  const range = (name: 'source' | 'destination') =>
    fields[name] === undefined ? undefined : decodeRange(fields[name], `${path}.${name}`);
  return {
    kind,
    source: range('source'),
    sourceNegated: flag(fields, 'sourceNegated', path),
    destination: range('destination'),
    destinationNegated: flag(fields, 'destinationNegated', path),
    flags: fields.flags === undefined ? undefined : decodeFlags(fields.flags, `${path}.flags`),
    flagsNegated: flag(fields, 'flagsNegated', path),
  };
}

function decodeFlags(value: unknown, path: string): TcpFlags {
  const fields = asFields(value, path);
  return { mask: integer(fields, 'mask', path, 0, 255), set: integer(fields, 'set', path, 0, 255) };
}

function decodeIcmp(kind: 'icmp' | 'icmp6', fields: Fields, path: string): Match {
  const icmp = asFields(fields.icmp, `${path}.icmp`);
  return {
    kind,
    icmp: {
      type: integer(icmp, 'type', `${path}.icmp`, 0, 255),
      code: optionalInteger(icmp, 'code', `${path}.icmp`, 0, 255),
    },
    negated: flag(fields, 'negated', path),
  };
}

function decodeRange(value: unknown, path: string): PortRange {
  const fields = asFields(value, path);
  const first = integer(fields, 'first', path, 0, 65_535);
  return { first, last: integer(fields, 'last', path, first, 65_535) };
}

function decodeProbability(value: unknown, path: string): number {
  if (typeof value !== 'number' || !(value >= 0 && value <= 1)) {
    throw new RulesDecodeError(`${path}.probability`, 'a number from 0 to 1', value);
  }
  return value;
}

function decodePhysdevTest(fields: Fields, path: string): PhysdevMatch['test'] {
  const kind = oneOf(fields, 'kind', path, ['in', 'out', 'is-in', 'is-out', 'is-bridged'] as const);
  return kind === 'in' || kind === 'out' ? { kind, device: text(fields, 'device', path) } : { kind };
}
