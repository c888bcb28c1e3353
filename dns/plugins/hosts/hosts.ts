/** Names and addresses as in /etc/hosts, inline or from a file, with reverse names. */

import { parseHosts } from '../../../shared/podnet/resolv-conf.ts';
import type { Timer } from '../../../shared/runtime/clock.ts';
import { CorefileError } from '../../corefile.ts';
import { durationWord, expectWords, integerWord } from '../../directive.ts';
import { fallsThrough, parseFallthrough } from '../../fallthrough.ts';
import { emptyReply, passingFailure, type ResourceRecord } from '../../message.ts';
import type { PluginSetup } from '../../plugin.ts';
import { addressOfReverse, matchingZone, plainName, zonesOf } from '../../zone.ts';

interface HostTable {
  readonly addresses: ReadonlyMap<string, readonly string[]>;
  readonly names: ReadonlyMap<string, readonly string[]>;
}

const TTL_SECONDS = 3600;
const RELOAD_MS = 5000;
const ADDRESS = /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f]*:[0-9a-f:]*)$/i;

export const setupHosts: PluginSetup = (directive, { zones: serverZones, clock, readFile, print }) => {
  const [file, ...words] = directive.words;
  const zones = words.length === 0 ? serverZones : words.flatMap((word) => zonesOf(word, directive));
  const inline: string[] = [];
  let ttl = TTL_SECONDS;
  let reloadMs = RELOAD_MS;
  let reverse = true;
  let fallthrough: readonly string[] = [];
  for (const property of directive.block ?? []) {
    if (property.name === 'ttl') ttl = integerWord(property, 0, 1, 65_535);
    else if (property.name === 'no_reverse') {
      expectWords(property, 0, 0, 'no argument');
      reverse = false;
    } else if (property.name === 'fallthrough') fallthrough = parseFallthrough(property);
    else if (property.name === 'reload') reloadMs = durationWord(property, 0);
    else if (ADDRESS.test(property.name)) inline.push([property.name, ...property.words].join(' '));
    else {
      const known = 'an address or one of fallthrough, no_reverse, reload, ttl';
      throw new CorefileError(property, `'${property.name}' is not understood: expected ${known}`);
    }
  }
  if (file !== undefined && readFile(file) === undefined) print('WARNING', `plugin/hosts: there is no file ${file}`);
  let text: string | undefined;
  let table = hostTable('');
  const refresh = (): void => {
    const present = [file === undefined ? '' : (readFile(file) ?? ''), ...inline].join('\n');
    if (present === text) return;
    text = present;
    table = hostTable(present);
  };
  refresh();
  let timer: Timer | undefined;
  const arm = (): void => {
    timer = clock.setTimer(reloadMs, () => {
      refresh();
      arm();
    });
  };
  const reversed = (key: string, name: string): ResourceRecord[] | undefined => {
    const address = reverse ? addressOfReverse(key) : undefined;
    return address === undefined ? undefined : reverseRecords(table, address, name, ttl);
  };
  return {
    handler: (next) => async (query) => {
      const { key, type, name } = query.question;
      const inZone = matchingZone(key, zones) !== undefined;
      if (!inZone && type !== 'PTR') return next(query);
      const answers = type === 'PTR' ? reversed(key, name) : namedRecords(table, key, name, type, ttl);
      if (answers !== undefined) return { ...emptyReply('NOERROR', true), answers };
      // Reverse names are nobody's zone here: those of others go to others.
      if (type === 'PTR' || fallsThrough(key, fallthrough)) return next(query);
      // A denial needs an SOA, and a hosts file has none: the original fails, too.
      return passingFailure();
    },
    start: () => {
      if (file !== undefined && reloadMs > 0) arm();
    },
    stop: () => timer?.cancel(),
  };
};

function hostTable(text: string): HostTable {
  const addresses = new Map<string, string[]>();
  const names = new Map<string, string[]>();
  const append = (map: Map<string, string[]>, key: string, value: string): void => {
    map.set(key, [...(map.get(key) ?? []), value]);
  };
  for (const entry of parseHosts(text)) {
    for (const name of entry.names) {
      append(addresses, plainName(name), entry.address);
      append(names, entry.address, plainName(name));
    }
  }
  return { addresses, names };
}

/** Undefined when the name is not in the table; empty when it has no address of the type. */
function namedRecords(
  table: HostTable,
  key: string,
  name: string,
  type: string,
  ttl: number,
): ResourceRecord[] | undefined {
  return table.addresses
    .get(key)
    ?.map((data): ResourceRecord => ({ type: data.includes(':') ? 'AAAA' : 'A', name, ttl, data }))
    .filter((record) => record.type === type);
}

function reverseRecords(table: HostTable, address: string, name: string, ttl: number): ResourceRecord[] | undefined {
  return table.names.get(address)?.map((data): ResourceRecord => ({ type: 'PTR', name, ttl, data }));
}
