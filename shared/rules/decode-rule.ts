/** Rules and targets from a message. */
import { addressBits } from '../wire/ip-address.ts';
import { decodeMatch } from './decode-match.ts';
import { address, asFields, asList, type Fields, flag, integer, oneOf, optionalInteger, text } from './decode-value.ts';
import type { DeviceMatch, PrefixMatch, ProtocolMatch, ProtocolName, Rule } from './rule.ts';
import { REJECT_WITH, type Target } from './target.ts';

const MAX_UINT32 = 0xffff_ffff;
const PROTOCOLS: readonly ProtocolName[] = ['tcp', 'udp', 'icmp', 'icmpv6', 'sctp'];

const targets: Readonly<Record<Target['kind'], (fields: Fields, path: string) => Target>> = {
  accept: () => ({ kind: 'accept' }),
  drop: () => ({ kind: 'drop' }),
  return: () => ({ kind: 'return' }),
  reject: (fields, path) => ({ kind: 'reject', with: oneOf(fields, 'with', path, REJECT_WITH) }),
  dnat: (fields, path) => ({
    kind: 'dnat',
    address: address(fields, 'address', path),
    port: optionalInteger(fields, 'port', path, 1, 65_535),
  }),
  snat: (fields, path) => ({
    kind: 'snat',
    address: address(fields, 'address', path),
    randomFully: flag(fields, 'randomFully', path),
  }),
  masquerade: (fields, path) => ({ kind: 'masquerade', randomFully: flag(fields, 'randomFully', path) }),
  mark: (fields, path) => ({
    kind: 'mark',
    value: integer(fields, 'value', path, 0, MAX_UINT32),
    mask: integer(fields, 'mask', path, 0, MAX_UINT32),
  }),
  connmark: (fields, path) => ({
    kind: 'connmark',
    value: integer(fields, 'value', path, 0, MAX_UINT32),
    mask: integer(fields, 'mask', path, 0, MAX_UINT32),
  }),
  'restore-mark': (fields, path) => ({ kind: 'restore-mark', mask: integer(fields, 'mask', path, 0, MAX_UINT32) }),
  log: (fields, path) => ({
    kind: 'log',
    prefix: text(fields, 'prefix', path),
    level: integer(fields, 'level', path, 0, 7),
  }),
  jump: (fields, path) => ({ kind: 'jump', chain: text(fields, 'chain', path) }),
  goto: (fields, path) => ({ kind: 'goto', chain: text(fields, 'chain', path) }),
};

const TARGET_KINDS = Object.keys(targets) as readonly Target['kind'][]; // keys of a Record over that very union

/** Throws RulesDecodeError, with `path` leading to the offending value. */
export function decodeRule(value: unknown, path: string): Rule {
  const fields = asFields(value, path);
  const part = <T>(name: string, decode: (value: unknown, path: string) => T): T | undefined =>
    fields[name] === undefined ? undefined : decode(fields[name], `${path}.${name}`);
  return {
    source: part('source', decodePrefix),
    destination: part('destination', decodePrefix),
    inDevice: part('inDevice', decodeDevice),
    outDevice: part('outDevice', decodeDevice),
    protocol: part('protocol', decodeProtocol),
    matches: part('matches', (list, at) => asList(list, at).map((item, i) => decodeMatch(item, `${at}[${i}]`))),
    target: part('target', decodeTarget),
  };
}

function decodeTarget(value: unknown, path: string): Target {
  const fields = asFields(value, path);
  return targets[oneOf(fields, 'kind', path, TARGET_KINDS)](fields, path);
}

export function decodePrefix(value: unknown, path: string): PrefixMatch {
  const fields = asFields(value, path);
  const network = address(fields, 'address', path);
  return {
    address: network,
    prefixLength: integer(fields, 'prefixLength', path, 0, addressBits(network)),
    negated: flag(fields, 'negated', path),
  };
}

function decodeDevice(value: unknown, path: string): DeviceMatch {
  const fields = asFields(value, path);
  return { name: text(fields, 'name', path), negated: flag(fields, 'negated', path) };
}

export function decodeProtocolName(fields: Fields, name: string, path: string): ProtocolName {
  return oneOf(fields, name, path, PROTOCOLS);
}

function decodeProtocol(value: unknown, path: string): ProtocolMatch {
  const fields = asFields(value, path);
  return { name: decodeProtocolName(fields, 'name', path), negated: flag(fields, 'negated', path) };
}
