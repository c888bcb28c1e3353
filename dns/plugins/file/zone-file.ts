/** Zone files (RFC 1035 section 5): $ORIGIN, $TTL, parentheses, comments, quoted texts, `@`, owners and classes left out. */
import { isIPv4, isIPv6 } from 'node:net';
import { CorefileError, type Position } from '../../corefile.ts';
import type { ResourceRecord } from '../../message.ts';
import { isInZone, plainName } from '../../zone.ts';

interface Word {
  readonly text: string;
  readonly quoted: boolean;
}

interface Entry extends Position {
  /** The line began with white space: the owner is the former one's. */
  readonly sameOwner: boolean;
  readonly words: readonly Word[];
}

const TYPES = ['A', 'AAAA', 'CAA', 'CNAME', 'DNAME', 'MX', 'NS', 'PTR', 'SOA', 'SRV', 'TXT'];
const UNITS_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** The records of a zone, names without the final dot. Throws CorefileError with the file's line. */
export function parseZoneFile(text: string, file: string, zone: string): ResourceRecord[] {
  const records: ResourceRecord[] = [];
  let origin = zone;
  let defaultTtl: number | undefined;
  let owner: string | undefined;
  for (const entry of entriesOf(text, file)) {
    const [first, second] = entry.words;
    if (first === undefined) continue;
    if (first.text === '$ORIGIN') origin = absolute(second?.text ?? '', origin);
    else if (first.text === '$TTL') defaultTtl = secondsOf(second?.text ?? '', entry);
    else if (first.text.startsWith('$')) {
      throw new CorefileError(entry, `'${first.text}' is not understood: expected $ORIGIN, $TTL or a record`);
    } else {
      if (!entry.sameOwner) owner = absolute(first.text, origin);
      if (owner === undefined) throw new CorefileError(entry, 'expected a name at the start of the first record');
      const record = parseRecord(
        owner,
        entry.sameOwner ? entry.words : entry.words.slice(1),
        origin,
        defaultTtl,
        entry,
      );
      if (!isInZone(plainName(record.name), zone)) {
        throw new CorefileError(entry, `'${record.name}' is not in the zone '${zone}.'`);
      }
      records.push(record);
      if (record.type === 'SOA') defaultTtl ??= record.data.minimum;
    }
  }
  const soas = records.filter(({ type, name }) => type === 'SOA' && plainName(name) === zone);
  if (soas.length !== 1) {
    throw new CorefileError({ file, line: 1 }, `the zone '${zone}.' has ${soas.length} SOA records: expected one`);
  }
  return records;
}

/** Lines, those between parentheses as one. */
function entriesOf(text: string, file: string): Entry[] {
  const entries: Entry[] = [];
  let open: { entry: Entry; words: Word[] } | undefined;
  let depth = 0;
  text.split(/\r?\n/).forEach((content, index) => {
    const position = { file, line: index + 1 };
    if (open === undefined) {
      const words: Word[] = [];
      open = { words, entry: { ...position, sameOwner: /^\s/.test(content), words } };
    }
    for (const word of wordsOf(content, position)) {
      if (!word.quoted && word.text === '(') depth++;
      else if (!word.quoted && word.text === ')') depth--;
      else open.words.push(word);
    }
    if (depth < 0) throw new CorefileError(position, "')' without '('");
    if (depth > 0) return;
    entries.push(open.entry);
    open = undefined;
  });
  if (open !== undefined) throw new CorefileError((open as { entry: Entry }).entry, "'(' is not closed: expected ')'");
  return entries;
}

function wordsOf(content: string, position: Position): Word[] {
  const words: Word[] = [];
  for (const [text, quoted] of content.matchAll(/"((?:[^"\\]|\\.)*)"|;.*$|[()]|[^\s();"]+|"/g)) {
    if (text === '"') throw new CorefileError(position, "a quote is not closed: expected '\"' on the same line");
    if (quoted !== undefined) words.push({ text: quoted.replace(/\\(.)/g, '$1'), quoted: true });
    else if (!text.startsWith(';')) words.push({ text, quoted: false });
  }
  return words;
}

function absolute(name: string, origin: string): string {
  if (name === '@') return origin;
  if (name.endsWith('.')) return name.slice(0, -1);
  return origin === '' ? name : `${name}.${origin}`;
}

/** `3600`, `1h30m` */
function secondsOf(text: string, position: Position): number {
  if (!/^(\d+[smhdw]?)+$/i.test(text))
    throw new CorefileError(position, `'${text}' is no time: expected one such as 3600 or 1h`);
  let seconds = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)([smhdw]?)/gi)) {
    seconds += Number(amount) * (UNITS_SECONDS[unit?.toLowerCase() || 's'] ?? 0);
  }
  return seconds;
}

/** `[TTL] [CLASS] TYPE DATA`, TTL and class in either order. */
function parseRecord(
  name: string,
  words: readonly Word[],
  origin: string,
  defaultTtl: number | undefined,
  position: Position,
): ResourceRecord {
  let at = 0;
  let ttl = defaultTtl;
  for (; at < 2; at++) {
    const text = words[at]?.text ?? '';
    if (/^\d/.test(text)) ttl = secondsOf(text, position);
    else if (text.toUpperCase() !== 'IN') break;
  }
  const type = words[at]?.text.toUpperCase() ?? '';
  const data = words.slice(at + 1);
  if (!TYPES.includes(type)) {
    throw new CorefileError(position, `'${type}' is not understood: expected a type of ${TYPES.join(', ')}`);
  }
  const record = typedRecord({ name, ttl: ttl ?? 0 }, type, data, origin, position);
  if (record === undefined) {
    const text = data.map((word) => word.text).join(' ');
    throw new CorefileError(position, `'${text}' is no data of a ${type} record`);
  }
  return record;
}

/** Undefined for data that is not the type's. */
function typedRecord(
  base: { readonly name: string; readonly ttl: number },
  type: string,
  words: readonly Word[],
  origin: string,
  position: Position,
): ResourceRecord | undefined {
  const texts = words.map(({ text }) => text);
  const [first = '', second = '', third = '', fourth = ''] = texts;
  const isNumber = (...fields: string[]): boolean =>
    fields.every((field) => /^\d+$/.test(field) && Number(field) < 65_536);
  switch (type) {
    case 'A':
      return texts.length === 1 && isIPv4(first) ? { ...base, type, data: first } : undefined;
    case 'AAAA':
      return texts.length === 1 && isIPv6(first) ? { ...base, type, data: first } : undefined;
    case 'CNAME':
    case 'DNAME':
    case 'NS':
    case 'PTR':
      return texts.length === 1 ? { ...base, type, data: absolute(first, origin) } : undefined;
    case 'MX':
      if (texts.length !== 2 || !isNumber(first)) return undefined;
      return { ...base, type, data: { preference: Number(first), exchange: absolute(second, origin) } };
    case 'SRV': {
      if (texts.length !== 4 || !isNumber(first, second, third)) return undefined;
      const target = absolute(fourth, origin);
      return { ...base, type, data: { priority: Number(first), weight: Number(second), port: Number(third), target } };
    }
    case 'TXT':
      return texts.length > 0 ? { ...base, type, data: texts } : undefined;
    case 'CAA':
      if (texts.length !== 3 || !isNumber(first)) return undefined;
      return { ...base, type, data: { flags: Number(first), tag: second as 'issue', value: third } };
    case 'SOA': {
      if (texts.length !== 7) return undefined;
      const times = texts.slice(3).map((text) => secondsOf(text, position));
      const [refresh = 0, retry = 0, expire = 0, minimum = 0] = times;
      const [mname, rname] = [absolute(first, origin), absolute(second, origin)];
      return { ...base, type, data: { mname, rname, serial: Number(third), refresh, retry, expire, minimum } };
    }
    default:
      return undefined;
  }
}
