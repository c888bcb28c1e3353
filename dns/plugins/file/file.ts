/** Serves zones from a zone file, and reads it again when it changed. */
import type { Timer } from '../../../shared/runtime/clock.ts';
import { durationWord, expectWords, unknownProperty, wrong } from '../../directive.ts';
import { fallsThrough, parseFallthrough } from '../../fallthrough.ts';
import { emptyReply, type Reply } from '../../message.ts';
import type { PluginContext, PluginSetup, Query } from '../../plugin.ts';
import { matchingZone, zonesOf } from '../../zone.ts';
import { parseZoneFile } from './zone-file.ts';
import { ZoneRecords } from './zone-records.ts';

const RELOAD_MS = 60_000;

export const setupFile: PluginSetup = (directive, context) => {
  const [path, ...words] = directive.words;
  if (path === undefined) throw wrong(directive, 'DBFILE [ZONE...]');
  const zones = words.length === 0 ? context.zones : words.flatMap((word) => zonesOf(word, directive));
  let reloadMs = RELOAD_MS;
  let fallthrough: readonly string[] = [];
  for (const property of directive.block ?? []) {
    if (property.name === 'reload') {
      expectWords(property, 1, 1, 'a duration such as 1m');
      reloadMs = durationWord(property, 0);
    } else if (property.name === 'fallthrough') fallthrough = parseFallthrough(property);
    else throw unknownProperty(property, ['fallthrough', 'reload']);
  }
  let text = context.readFile(path);
  let loaded = load(text, path, zones);
  if (text === undefined) context.print('WARNING', `plugin/file: there is no file ${path} yet`);
  const refresh = (): void => {
    const present = context.readFile(path);
    if (present === undefined || present === text) return;
    text = present;
    try {
      loaded = load(present, path, zones);
      context.print('INFO', `plugin/file: read ${path} again`);
    } catch (error) {
      // The zone as it was serves on.
      context.print('ERROR', `plugin/file: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  let timer: Timer | undefined;
  const arm = (): void => {
    timer = context.clock.setTimer(reloadMs, () => {
      refresh();
      arm();
    });
  };
  return {
    handler: (next) => async (query) => {
      const zone = matchingZone(query.question.key, zones);
      if (zone === undefined || query.question.class !== 'IN') return next(query);
      const { key, type } = query.question;
      if (type === 'AXFR' || type === 'IXFR') return emptyReply('REFUSED');
      const records = loaded.get(zone);
      if (records === undefined) return emptyReply('SERVFAIL');
      const reply = await answer(query, records, context);
      return reply.rcode === 'NXDOMAIN' && fallsThrough(key, fallthrough) ? next(query) : reply;
    },
    zoneRecords: (zone) => loaded.get(zone)?.records,
    start: () => {
      if (reloadMs > 0) arm();
    },
    stop: () => timer?.cancel(),
  };
};

/** Empty when there is no file. Throws CorefileError. */
function load(text: string | undefined, path: string, zones: readonly string[]): Map<string, ZoneRecords> {
  if (text === undefined) return new Map();
  return new Map(zones.map((zone) => [zone, new ZoneRecords(zone, parseZoneFile(text, path, zone))]));
}

async function answer(query: Query, records: ZoneRecords, { lookup }: PluginContext): Promise<Reply> {
  const { name, type } = query.question;
  const { reply, alias } = records.answer(name, type);
  if (alias === undefined) return reply;
  const target = await lookup(alias, type, query);
  // A target that cannot be resolved leaves the alias alone, as the client may know better.
  return target.rcode === 'NOERROR' ? { ...reply, answers: [...reply.answers, ...target.answers] } : reply;
}
