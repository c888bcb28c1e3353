import { describe, expect, it } from 'vitest';
import { parseSchedule, type Schedule } from './schedule.ts';
import { findTimeZone, lastTimeInZoneMs, nextTimeInZoneMs, type TimeZone } from './time-zone.ts';

const zone = (name?: string): TimeZone => findTimeZone(name) as TimeZone;
const schedule = (text: string): Schedule => parseSchedule(text) as Schedule;
const iso = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : new Date(ms).toISOString());

describe('schedules in time zones', () => {
  it.each([
    ['UTC by default', undefined, '30 9 * * *', '2026-01-01T00:00:00Z', '2026-01-01T09:30:00.000Z'],
    ['east of Greenwich', 'Europe/Paris', '30 9 * * *', '2026-01-01T00:00:00Z', '2026-01-01T08:30:00.000Z'],
    ['in summer', 'Europe/Paris', '30 9 * * *', '2026-07-01T00:00:00Z', '2026-07-01T07:30:00.000Z'],
    [
      'west of it, on the day before',
      'America/New_York',
      '0 22 * * *',
      '2026-01-01T01:00:00Z',
      '2026-01-01T03:00:00.000Z',
    ],
    ['half hours', 'Asia/Kolkata', '0 0 * * *', '2026-01-01T00:00:00Z', '2026-01-01T18:30:00.000Z'],
    // 29 March 2026: 02:00 becomes 03:00.
    ['a time that the clock skips', 'Europe/Paris', '30 2 * * *', '2026-03-29T00:00:00Z', '2026-03-30T00:30:00.000Z'],
    // 25 October 2026: 03:00 becomes 02:00.
    ['the first of two', 'Europe/Paris', '30 2 * * *', '2026-10-24T12:00:00Z', '2026-10-25T00:30:00.000Z'],
    ['once only', 'Europe/Paris', '30 2 * * *', '2026-10-25T00:30:00Z', '2026-10-26T01:30:00.000Z'],
  ])('%s', (_, name, text, from, expected) => {
    const nextMs = nextTimeInZoneMs(schedule(text), zone(name), Date.parse(from));
    expect(iso(nextMs)).toBe(expected);
    const dueMs = nextMs as number;
    expect(iso(lastTimeInZoneMs(schedule(text), zone(name), Date.parse(from), dueMs))).toBe(expected);
    expect(lastTimeInZoneMs(schedule(text), zone(name), dueMs, dueMs)).toBeUndefined();
  });

  it('has no zone of an unknown name', () => {
    expect(findTimeZone('Mars/Olympus')).toBeUndefined();
  });
});
