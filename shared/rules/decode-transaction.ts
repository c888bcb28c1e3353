/** A whole transaction from a message (the node's side of the wire) and a reply (the programmer's side). */
import type { IpFamily } from '../wire/ip-address.ts';
import { decodeBpfChange } from './decode-bpf.ts';
import { RulesDecodeError } from './decode-error.ts';
import { decodeIpvsChange } from './decode-ipvs.ts';
import { decodeNftChange } from './decode-nft.ts';
import { decodeProtocolName, decodeRule } from './decode-rule.ts';
import { asFields, asList, integer, oneOf, optionalAddress, optionalInteger, text } from './decode-value.ts';
import type { Rule } from './rule.ts';
import { BUILT_IN_CHAINS, isTableName, TABLE_NAMES, type TableName } from './table.ts';
import type { ForgottenConnections, HookRule, RulesReply, RulesTransaction, TableChange } from './transaction.ts';

const FAMILIES: readonly IpFamily[] = ['ipv4', 'ipv6'];

/** Throws RulesDecodeError. Whether the rules make sense together is for `applyTransaction` to say. */
export function decodeTransaction(value: unknown): RulesTransaction {
  const fields = asFields(value, 'transaction');
  const tables: Partial<Record<TableName, TableChange>> = {};
  for (const [name, change] of Object.entries(asFields(fields.tables, 'transaction.tables'))) {
    const path = `transaction.tables.${name}`;
    if (!isTableName(name)) throw new RulesDecodeError(path, `a table of ${TABLE_NAMES.join(', ')}`, name);
    if (change !== undefined) tables[name] = decodeChange(change, name, path);
  }
  return {
    owner: text(fields, 'owner', 'transaction'),
    family: fields.family === undefined ? undefined : oneOf(fields, 'family', 'transaction', FAMILIES),
    bootId: text(fields, 'bootId', 'transaction'),
    base: fields.base === null ? null : integer(fields, 'base', 'transaction', 0, Number.MAX_SAFE_INTEGER),
    tables,
    ipvs: fields.ipvs === undefined ? undefined : decodeIpvsChange(fields.ipvs, 'transaction.ipvs'),
    bpf: fields.bpf === undefined ? undefined : decodeBpfChange(fields.bpf, 'transaction.bpf'),
    nft: fields.nft === undefined ? undefined : decodeNftChange(fields.nft, 'transaction.nft'),
    forget: fields.forget === undefined ? undefined : decodeForget(fields.forget, 'transaction.forget'),
  };
}

export function decodeRulesReply(value: unknown): RulesReply {
  const fields = asFields(value, 'reply');
  const bootId = text(fields, 'bootId', 'reply');
  const kind = oneOf(fields, 'kind', 'reply', ['applied', 'resync', 'invalid'] as const);
  if (kind === 'applied') {
    return { kind, bootId, generation: integer(fields, 'generation', 'reply', 0, Number.MAX_SAFE_INTEGER) };
  }
  if (kind === 'resync') return { kind, bootId, reason: text(fields, 'reason', 'reply') };
  const problems = asList(fields.problems, 'reply.problems').map((item, i) => {
    const path = `reply.problems[${i}]`;
    const problem = asFields(item, path);
    return { where: text(problem, 'where', path), message: text(problem, 'message', path) };
  });
  return { kind, bootId, problems };
}

function decodeChange(value: unknown, table: TableName, path: string): TableChange {
  const fields = asFields(value, path);
  return {
    set: fields.set === undefined ? undefined : decodeChains(fields.set, `${path}.set`),
    delete: fields.delete === undefined ? undefined : decodeNames(fields.delete, `${path}.delete`),
    hooks: fields.hooks === undefined ? undefined : decodeHooks(fields.hooks, table, `${path}.hooks`),
  };
}

function decodeChains(value: unknown, path: string): Record<string, readonly Rule[]> {
  // Without a prototype, so that a chain may have any name.
  const chains = Object.create(null) as Record<string, readonly Rule[]>;
  for (const [name, rules] of Object.entries(asFields(value, path))) {
    chains[name] = asList(rules, `${path}.${name}`).map((rule, i) => decodeRule(rule, `${path}.${name}[${i}]`));
  }
  return chains;
}

function decodeNames(value: unknown, path: string): readonly string[] {
  return asList(value, path).map((name, i) => text({ name }, 'name', `${path}[${i}]`));
}

function decodeForget(value: unknown, path: string): readonly ForgottenConnections[] {
  return asList(value, path).map((item, i) => {
    const at = `${path}[${i}]`;
    const fields = asFields(item, at);
    return {
      protocol: decodeProtocolName(fields, 'protocol', at),
      originalDestination: optionalAddress(fields, 'originalDestination', at),
      originalDestinationPort: optionalInteger(fields, 'originalDestinationPort', at, 1, 65_535),
      replySource: optionalAddress(fields, 'replySource', at),
    };
  });
}

function decodeHooks(value: unknown, table: TableName, path: string): readonly HookRule[] {
  return asList(value, path).map((item, i) => {
    const at = `${path}[${i}]`;
    const fields = asFields(item, at);
    return {
      chain: oneOf(fields, 'chain', at, BUILT_IN_CHAINS[table]),
      position: oneOf(fields, 'position', at, ['first', 'last'] as const),
      rule: decodeRule(fields.rule, `${at}.rule`),
    };
  });
}
