/** Reads single values out of an `unknown` message; every function throws RulesDecodeError with the value's path. */
import { parseIpv6 } from '../wire/ipv6-address.ts';
import { isIpv6 } from '../wire/ipv6-table.ts';
import { RulesDecodeError } from './decode-error.ts';

export type Fields = Readonly<Record<string, unknown>>;

export function asFields(value: unknown, path: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RulesDecodeError(path, 'an object', value);
  }
  return value as Fields; // any non-list object has string keys
}

export function asList(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new RulesDecodeError(path, 'a list', value);
  return value;
}

export function text(fields: Fields, name: string, path: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw new RulesDecodeError(`${path}.${name}`, 'a text', value);
  return value;
}

export function oneOf<T extends string>(fields: Fields, name: string, path: string, allowed: readonly T[]): T {
  const value = fields[name];
  const found = allowed.find((item) => item === value);
  if (found === undefined) throw new RulesDecodeError(`${path}.${name}`, `one of ${allowed.join(', ')}`, value);
  return found;
}

export function integer(fields: Fields, name: string, path: string, least: number, most: number): number {
  const value = fields[name];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
    throw new RulesDecodeError(`${path}.${name}`, `an integer from ${least} to ${most}`, value);
  }
  return value;
}

export function optionalInteger(
  fields: Fields,
  name: string,
  path: string,
  least: number,
  most: number,
): number | undefined {
  return fields[name] === undefined ? undefined : integer(fields, name, path, least, most);
}

const MAX_UINT32 = 0xffff_ffff;

/** An IPv4 address is its number; an IPv6 one is text, as its number means nothing in another process. */
export function address(fields: Fields, name: string, path: string): number {
  const value = fields[name];
  if (typeof value === 'string') {
    const known = parseIpv6(value);
    if (known === undefined) throw new RulesDecodeError(`${path}.${name}`, 'an IPv6 address', value);
    return known;
  }
  const number = integer(fields, name, path, 0, MAX_UINT32);
  if (isIpv6(number)) throw new RulesDecodeError(`${path}.${name}`, 'an address that a host can have', number);
  return number;
}

export function optionalAddress(fields: Fields, name: string, path: string): number | undefined {
  return fields[name] === undefined ? undefined : address(fields, name, path);
}

export function flag(fields: Fields, name: string, path: string): boolean | undefined {
  const value = fields[name];
  if (value !== undefined && typeof value !== 'boolean') {
    throw new RulesDecodeError(`${path}.${name}`, 'true or false', value);
  }
  return value || undefined;
}
