/**
 * Schedules by the clock of a time zone: what the wall clock shows is counted as if it were UTC, and each time found is brought
 * back. An hour that the clock skips has no times; of an hour that it shows twice the first one counts.
 */
import { lastTimeMs, nextTimeMs, type Schedule } from './schedule.ts';

/** Between a wall clock's time and UTC, as if the former were the latter. */
export interface TimeZone {
  toLocalMs(utcMs: number): number;
  /** undefined for a time that the clock never shows. */
  toUtcMs(localMs: number): number | undefined;
}

const DAY_MS = 86_400_000;
/** How many skipped times in a row are passed over: more than an hour has. */
const MAX_SKIPPED = 60;

const UTC: TimeZone = { toLocalMs: (utcMs) => utcMs, toUtcMs: (localMs) => localMs };
const UTC_NAMES = new Set(['', 'UTC', 'Etc/UTC']);
const zones = new Map<string, TimeZone>();

/** By its name in the time zone database (`Europe/Paris`); undefined when there is none of this name. */
export function findTimeZone(name: string | undefined | null): TimeZone | undefined {
  if (UTC_NAMES.has(name ?? '')) return UTC;
  const known = zones.get(name as string);
  if (known !== undefined) return known;
  const zone = makeTimeZone(name as string);
  if (zone !== undefined) zones.set(name as string, zone);
  return zone;
}

function makeTimeZone(timeZone: string): TimeZone | undefined {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
  const toLocalMs = (utcMs: number): number => {
    const parts = new Map(format.formatToParts(utcMs).map(({ type, value }) => [type, Number(value)]));
    const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
    const seconds = Date.UTC(
      part('year'),
      part('month') - 1,
      part('day'),
      part('hour'),
      part('minute'),
      part('second'),
    );
    return seconds + (((utcMs % 1000) + 1000) % 1000);
  };
  // Clocks change at most once in two days: one of the two offsets is the right one.
  const toUtcMs = (localMs: number): number | undefined =>
    [localMs - DAY_MS, localMs + DAY_MS]
      .map((nearMs) => localMs - (toLocalMs(nearMs) - nearMs))
      .filter((utcMs) => toLocalMs(utcMs) === localMs)
      .sort((a, b) => a - b)[0];
  return { toLocalMs, toUtcMs };
}

/** The first time after `timeMs`, in UTC. */
export function nextTimeInZoneMs(schedule: Schedule, zone: TimeZone, timeMs: number): number | undefined {
  let localMs: number | undefined = zone.toLocalMs(timeMs);
  for (let skipped = 0; skipped <= MAX_SKIPPED; skipped++) {
    localMs = nextTimeMs(schedule, localMs);
    if (localMs === undefined) return undefined;
    const utcMs = zone.toUtcMs(localMs);
    if (utcMs !== undefined && utcMs > timeMs) return utcMs;
  }
  return undefined;
}

/** The last time after `afterMs` and not after `timeMs`, in UTC. */
export function lastTimeInZoneMs(
  schedule: Schedule,
  zone: TimeZone,
  afterMs: number,
  timeMs: number,
): number | undefined {
  const fromMs = zone.toLocalMs(afterMs) - DAY_MS;
  let untilMs = zone.toLocalMs(timeMs);
  for (let skipped = 0; skipped <= MAX_SKIPPED; skipped++) {
    const localMs = lastTimeMs(schedule, fromMs, untilMs);
    if (localMs === undefined) return undefined;
    const utcMs = zone.toUtcMs(localMs);
    if (utcMs !== undefined && utcMs <= timeMs) return utcMs > afterMs ? utcMs : undefined;
    untilMs = localMs - 1;
  }
  return undefined;
}
