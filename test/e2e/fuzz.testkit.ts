/** What a hostile or broken client sends: valid requests with something wrong somewhere, from a seed. */
import type { Random } from '../../shared/runtime/random.ts';

type Json = null | boolean | number | string | readonly Json[] | { readonly [field: string]: Json };

export function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[random.integer(0, choices.length)] as T;
}

const ODD_VALUES: readonly Json[] = [
  null,
  true,
  '',
  ' ',
  '\u0000',
  '../../etc/passwd',
  '%s%n',
  '💥',
  'x'.repeat(5000),
  'a=b,c in (d',
  '10.96.0.300',
  '1e400',
  '9'.repeat(400),
  '-1',
  'NaN',
  '{}',
  '2026-13-45T99:99:99Z',
  0,
  -1,
  1.5,
  1e308,
  Number.MAX_SAFE_INTEGER,
  4_294_967_296,
  [],
  {},
  [[[[]]]],
  [null],
  { '': null },
  { $patch: 'delete' },
  { $patch: 'replace', a: 1 },
  [{ $patch: 'delete', name: 'x' }],
  { constructor: { prototype: {} } },
  { toString: 1, valueOf: 1, hasOwnProperty: 1 },
];
const ODD_FIELDS = [
  '__proto__',
  'constructor',
  'toString',
  '',
  'metadata',
  'spec',
  'status',
  'kind',
  '$patch',
  'a.b/c~0',
];

/** A copy in which one to three places hold something else, are missing, or are there besides. */
export function mutated(value: Json, random: Random): Json {
  let result = value;
  for (let count = random.integer(1, 4); count > 0; count--) result = mutatedOnce(result, random);
  return result;
}

function mutatedOnce(value: Json, random: Random): Json {
  if (typeof value !== 'object' || value === null || random.next() < 0.08) return pick(random, ODD_VALUES);
  if (Array.isArray(value)) return mutatedList(value, random);
  const fields = Object.entries(value);
  const dice = random.next();
  const at = random.integer(0, Math.max(1, fields.length));
  if (dice < 0.15) fields.splice(at, 1);
  else if (dice < 0.3) fields.push([pick(random, ODD_FIELDS), pick(random, ODD_VALUES)]);
  else if (fields[at] !== undefined) fields[at] = [fields[at][0], mutatedOnce(fields[at][1], random)];
  return Object.fromEntries(fields);
}

function mutatedList(value: readonly Json[], random: Random): Json {
  const list = [...value];
  const dice = random.next();
  const at = random.integer(0, Math.max(1, list.length));
  if (dice < 0.15) list.splice(at, 1);
  else if (dice < 0.3) list.push(pick(random, [...ODD_VALUES, ...list]));
  else if (list[at] !== undefined) list[at] = mutatedOnce(list[at], random);
  return list;
}

/** The same bytes with some changed, missing, doubled, or cut off. */
export function mutatedBytes(bytes: Uint8Array, random: Random): Buffer {
  let result = Buffer.from(bytes);
  for (let count = random.integer(1, 5); count > 0 && result.length > 0; count--) {
    const at = random.integer(0, result.length);
    const dice = random.next();
    if (dice < 0.5) result[at] = random.integer(0, 256);
    else if (dice < 0.7) result = Buffer.concat([result.subarray(0, at), result.subarray(at + random.integer(1, 8))]);
    else if (dice < 0.9) result = Buffer.concat([result.subarray(0, at), result.subarray(Math.max(0, at - 20))]);
    else result = result.subarray(0, at);
  }
  return result;
}

const QUERY_NAMES = [
  'watch',
  'labelSelector',
  'fieldSelector',
  'limit',
  'continue',
  'resourceVersion',
  'resourceVersionMatch',
  'sendInitialEvents',
  'allowWatchBookmarks',
  'dryRun',
  'fieldManager',
  'fieldValidation',
  'force',
  'pretty',
  'propagationPolicy',
  'gracePeriodSeconds',
  'orphanDependents',
  'includeObject',
  'command',
  'container',
  'tailLines',
  'sinceTime',
  'follow',
  'previous',
  'ports',
  '__proto__',
];
const QUERY_VALUES = [
  '',
  '0',
  '1',
  '-1',
  'true',
  'All',
  'Strict',
  'Exact',
  'NotOlderThan',
  'a=b',
  'a in (b,c),!d',
  'a in (b',
  '=,=',
  'metadata.name=x',
  'spec.nodeName!=y',
  'eyJ2IjoxfQ',
  '99999999999999999999',
  '1e9',
  'Sideways',
  '%00',
  '\u0000',
  'x'.repeat(2000),
];

export function randomQuery(random: Random): string {
  const parts: string[] = ['timeoutSeconds=1'];
  for (let count = random.integer(0, 4); count > 0; count--) {
    const value = pick(random, QUERY_VALUES);
    parts.push(`${pick(random, QUERY_NAMES)}=${random.next() < 0.8 ? encodeURIComponent(value) : encodeURI(value)}`);
  }
  return parts.join('&');
}
