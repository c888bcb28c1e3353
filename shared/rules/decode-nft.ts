/** A change of nftables' table from a message. */
import { decodePrefix } from './decode-rule.ts';
import {
  address,
  asFields,
  asList,
  type Fields,
  flag,
  integer,
  oneOf,
  optionalAddress,
  optionalInteger,
  text,
} from './decode-value.ts';
import type {
  NftChain,
  NftChange,
  NftElement,
  NftElements,
  NftHook,
  NftMatch,
  NftRule,
  NftSet,
  NftStatement,
  NftVerdict,
} from './nft.ts';
import type { ServiceProtocol } from './service-key.ts';

const MAX_UINT32 = 0xffff_ffff;
const MAX_PORT = 65_535;
const SIDES = ['source', 'destination'] as const;
const PROTOCOLS: readonly ServiceProtocol[] = ['tcp', 'udp'];
const KEY_PARTS = ['ipv4_addr', 'ipv6_addr', 'inet_proto', 'inet_service'] as const;
const HOOKS = ['prerouting', 'input', 'forward', 'output', 'postrouting'] as const;

type Part<T> = (value: unknown, path: string) => T;

/** Throws RulesDecodeError. */
export function decodeNftChange(value: unknown, path: string): NftChange {
  const fields = asFields(value, path);
  return {
    sets: record(fields.sets, `${path}.sets`, decodeSet),
    deleteSets: names(fields.deleteSets, `${path}.deleteSets`),
    chains: record(fields.chains, `${path}.chains`, decodeChain),
    deleteChains: names(fields.deleteChains, `${path}.deleteChains`),
    elements: record(fields.elements, `${path}.elements`, decodeElements),
  };
}

function record<T>(value: unknown, path: string, decode: Part<T>): Record<string, T> | undefined {
  if (value === undefined) return undefined;
  // Without a prototype, so that a chain may have any name.
  const decoded = Object.create(null) as Record<string, T>;
  for (const [name, one] of Object.entries(asFields(value, path))) decoded[name] = decode(one, `${path}.${name}`);
  return decoded;
}

function list<T>(value: unknown, path: string, decode: Part<T>): T[] {
  return asList(value, path).map((item, i) => decode(item, `${path}[${i}]`));
}

function optionalList<T>(value: unknown, path: string, decode: Part<T>): T[] | undefined {
  return value === undefined ? undefined : list(value, path, decode);
}

function names(value: unknown, path: string): string[] | undefined {
  return optionalList(value, path, (name, at) => text({ name }, 'name', at));
}

function optionalText(fields: Fields, name: string, path: string): string | undefined {
  return fields[name] === undefined ? undefined : text(fields, name, path);
}

function decodeSet(value: unknown, path: string): NftSet {
  const fields = asFields(value, path);
  return {
    kind: oneOf(fields, 'kind', path, ['set', 'map'] as const),
    type: list(fields.type, `${path}.type`, (part, at) => oneOf({ part }, 'part', at, KEY_PARTS)),
    comment: optionalText(fields, 'comment', path),
    timeoutSeconds: optionalInteger(fields, 'timeoutSeconds', path, 1, MAX_UINT32),
  };
}

function decodeElements(value: unknown, path: string): NftElements {
  const fields = asFields(value, path);
  return {
    add: optionalList(fields.add, `${path}.add`, decodeElement),
    remove: optionalList(fields.remove, `${path}.remove`, decodeElement),
  };
}

function decodeElement(value: unknown, path: string): NftElement {
  const fields = asFields(value, path);
  return {
    address: optionalAddress(fields, 'address', path),
    protocol: fields.protocol === undefined ? undefined : oneOf(fields, 'protocol', path, PROTOCOLS),
    port: optionalInteger(fields, 'port', path, 1, MAX_PORT),
    verdict: fields.verdict === undefined ? undefined : decodeVerdict(fields.verdict, `${path}.verdict`),
    comment: optionalText(fields, 'comment', path),
  };
}

function decodeVerdict(value: unknown, path: string): NftVerdict {
  const fields = asFields(value, path);
  const kind = oneOf(fields, 'kind', path, ['accept', 'drop', 'return', 'jump', 'goto'] as const);
  return kind === 'jump' || kind === 'goto' ? { kind, chain: text(fields, 'chain', path) } : { kind };
}

function decodeChain(value: unknown, path: string): NftChain {
  const fields = asFields(value, path);
  return {
    hook: fields.hook === undefined ? undefined : decodeHook(fields.hook, `${path}.hook`),
    rules: list(fields.rules, `${path}.rules`, decodeNftRule),
  };
}

function decodeHook(value: unknown, path: string): NftHook {
  const fields = asFields(value, path);
  return {
    type: oneOf(fields, 'type', path, ['filter', 'nat'] as const),
    hook: oneOf(fields, 'hook', path, HOOKS),
    priority: integer(fields, 'priority', path, -500, 500),
  };
}

function decodeNftRule(value: unknown, path: string): NftRule {
  const fields = asFields(value, path);
  return {
    matches: optionalList(fields.matches, `${path}.matches`, decodeNftMatch),
    statement: decodeStatement(fields.statement, `${path}.statement`),
    comment: optionalText(fields, 'comment', path),
  };
}

const matches: Readonly<Record<NftMatch['kind'], (fields: Fields, path: string) => NftMatch>> = {
  address: (fields, path) => ({
    kind: 'address',
    side: oneOf(fields, 'side', path, SIDES),
    prefixes: list(fields.prefixes, `${path}.prefixes`, decodePrefix),
    negated: flag(fields, 'negated', path),
  }),
  'in-set': (fields, path) => ({
    kind: 'in-set',
    side: oneOf(fields, 'side', path, SIDES),
    set: text(fields, 'set', path),
  }),
  protocol: (fields, path) => ({ kind: 'protocol', protocol: oneOf(fields, 'protocol', path, PROTOCOLS) }),
  port: (fields, path) => ({
    kind: 'port',
    protocol: oneOf(fields, 'protocol', path, PROTOCOLS),
    port: integer(fields, 'port', path, 1, MAX_PORT),
  }),
  new: () => ({ kind: 'new' }),
  unmarked: (fields, path) => ({ kind: 'unmarked', bits: integer(fields, 'bits', path, 1, MAX_UINT32) }),
  local: (fields, path) => ({ kind: 'local', side: oneOf(fields, 'side', path, SIDES) }),
};

const MATCH_KINDS = Object.keys(matches) as readonly NftMatch['kind'][]; // keys of a Record over that very union

function decodeNftMatch(value: unknown, path: string): NftMatch {
  const fields = asFields(value, path);
  return matches[oneOf(fields, 'kind', path, MATCH_KINDS)](fields, path);
}

const statements: Readonly<Record<NftStatement['kind'], (fields: Fields, path: string) => NftStatement>> = {
  accept: decodeVerdict,
  drop: decodeVerdict,
  return: decodeVerdict,
  jump: decodeVerdict,
  goto: decodeVerdict,
  reject: () => ({ kind: 'reject' }),
  vmap: (fields, path) => ({
    kind: 'vmap',
    key: oneOf(fields, 'key', path, ['destination', 'port'] as const),
    map: text(fields, 'map', path),
  }),
  numgen: (fields, path) => ({
    kind: 'numgen',
    chains: list(fields.chains, `${path}.chains`, (chain, at) => text({ chain }, 'chain', at)),
  }),
  dnat: (fields, path) => ({
    kind: 'dnat',
    address: address(fields, 'address', path),
    port: integer(fields, 'port', path, 1, MAX_PORT),
  }),
  masquerade: () => ({ kind: 'masquerade' }),
  mark: (fields, path) => ({
    kind: 'mark',
    operation: oneOf(fields, 'operation', path, ['|', '^'] as const),
    bits: integer(fields, 'bits', path, 0, MAX_UINT32),
  }),
  update: (fields, path) => ({ kind: 'update', set: text(fields, 'set', path) }),
};

const STATEMENT_KINDS = Object.keys(statements) as readonly NftStatement['kind'][]; // keys of a Record over that very union

function decodeStatement(value: unknown, path: string): NftStatement {
  const fields = asFields(value, path);
  return statements[oneOf(fields, 'kind', path, STATEMENT_KINDS)](fields, path);
}
