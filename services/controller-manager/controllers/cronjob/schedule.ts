/** Schedules of five fields (minute, hour, day of month, month, day of week) as crontab(5) describes them, in UTC or any clock. */

export interface Schedule {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
  /** Both kinds of day are restricted: one that fits either is enough. */
  readonly eitherDay: boolean;
}

const MACROS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const DAY_MS = 86_400_000;
/** Eight years: 29 February can be that far away. */
const HORIZON_DAYS = 8 * 366;

/** undefined when the text is no schedule. */
export function parseSchedule(text: string): Schedule | undefined {
  const fields = (MACROS[text.trim()] ?? text.trim()).split(/\s+/);
  if (fields.length !== 5) return undefined;
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields;
  const minutes = parseField(minute, 0, 59);
  const hours = parseField(hour, 0, 23);
  const days = parseField(day, 1, 31);
  const months = parseField(month, 1, 12, MONTHS);
  const weekdays = parseField(weekday, 0, 7, WEEKDAYS);
  if (!minutes || !hours || !days || !months || !weekdays) return undefined;
  if (weekdays.has(7)) weekdays.add(0);
  const sorted = (values: Set<number>): number[] => [...values].sort((a, b) => a - b);
  const eitherDay = !isOpen(day) && !isOpen(weekday);
  return { minutes: sorted(minutes), hours: sorted(hours), days, months, weekdays, eitherDay };
}

function isOpen(field: string): boolean {
  return field.startsWith('*') || field.startsWith('?');
}

function parseField(field: string, low: number, high: number, names: readonly string[] = []): Set<number> | undefined {
  const values = new Set<number>();
  for (const part of field.split(',')) {
    const match = /^(?:([*?])|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(part);
    if (match === null) return undefined;
    const [, open, from, to, stepText] = match;
    const step = Number(stepText ?? 1);
    const first = open ? low : fieldValue(from ?? '', low, names);
    const last = open || (stepText && !to) ? high : fieldValue(to ?? from ?? '', low, names);
    if (!(first >= low && last <= high && first <= last && step > 0)) return undefined;
    for (let value = first; value <= last; value += step) values.add(value);
  }
  return values;
}

function fieldValue(text: string, low: number, names: readonly string[]): number {
  const index = names.indexOf(text.toLowerCase());
  if (index >= 0) return index + low;
  return /^\d+$/.test(text) ? Number(text) : Number.NaN;
}

/** The first time after `timeMs`; undefined for a date that never comes, like 31 February. */
export function nextTimeMs(schedule: Schedule, timeMs: number): number | undefined {
  const today = Math.floor(timeMs / DAY_MS) * DAY_MS;
  for (let day = 0; day < HORIZON_DAYS; day++) {
    const found = timesOn(schedule, today + day * DAY_MS).find((candidate) => candidate > timeMs);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The last time after `afterMs` and not after `timeMs`. */
export function lastTimeMs(schedule: Schedule, afterMs: number, timeMs: number): number | undefined {
  for (let day = Math.floor(timeMs / DAY_MS) * DAY_MS; day + DAY_MS > afterMs; day -= DAY_MS) {
    const found = timesOn(schedule, day).findLast((candidate) => candidate <= timeMs);
    if (found !== undefined) return found > afterMs ? found : undefined;
  }
  return undefined;
}

function timesOn(schedule: Schedule, dayMs: number): number[] {
  const date = new Date(dayMs);
  if (!schedule.months.has(date.getUTCMonth() + 1)) return [];
  const byDate = schedule.days.has(date.getUTCDate());
  const byWeekday = schedule.weekdays.has(date.getUTCDay());
  if (schedule.eitherDay ? !byDate && !byWeekday : !byDate || !byWeekday) return [];
  return schedule.hours.flatMap((hour) => schedule.minutes.map((minute) => dayMs + (hour * 60 + minute) * 60_000));
}
