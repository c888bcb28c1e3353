/** What is wrong with a CronJob's schedule, in the words of the original's parser (github.com/robfig/cron). */

interface Bounds {
  readonly low: number;
  readonly high: number;
  /** Of the values from `low` on. */
  readonly names: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const FIELDS: readonly Bounds[] = [
  { low: 0, high: 59, names: [] },
  { low: 0, high: 23, names: [] },
  { low: 1, high: 31, names: [] },
  { low: 1, high: 12, names: MONTHS },
  { low: 0, high: 6, names: WEEKDAYS },
];
const MACROS = new Set(['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']);

/** The first problem; undefined for a schedule. */
export function scheduleProblem(text: string): string | undefined {
  if (text.startsWith('@')) {
    return MACROS.has(text) || /^@every \S/.test(text) ? undefined : `unrecognized descriptor: ${text}`;
  }
  const fields = text.trim().split(/\s+/);
  if (fields.length !== FIELDS.length) {
    return `expected exactly ${FIELDS.length} fields, found ${fields.length}: [${fields.join(' ')}]`;
  }
  for (const [i, bounds] of FIELDS.entries()) {
    for (const part of (fields[i] as string).split(',')) {
      const problem = rangeProblem(part, bounds);
      if (problem !== undefined) return problem;
    }
  }
  return undefined;
}

/** `*`, `5`, `1-5`, `mon`, each with or without `/step`. */
function rangeProblem(text: string, bounds: Bounds): string | undefined {
  const [range = '', stepText, tooMany] = text.split('/');
  if (tooMany !== undefined) return `too many slashes: ${text}`;
  const [from = '', to, hyphen] = range.split('-');
  if (hyphen !== undefined) return `too many hyphens: ${text}`;
  const step = stepText === undefined ? 1 : parsed(stepText, []);
  if (from === '*' || from === '?') return typeof step === 'string' ? step : stepProblem(step, text);
  const first = parsed(from, bounds.names, bounds.low);
  if (typeof first === 'string') return first;
  const last = to === undefined ? first : parsed(to, bounds.names, bounds.low);
  if (typeof last === 'string') return last;
  if (typeof step === 'string') return step;
  if (first < bounds.low) return `beginning of range (${first}) below minimum (${bounds.low}): ${text}`;
  if (last > bounds.high) return `end of range (${last}) above maximum (${bounds.high}): ${text}`;
  if (first > last) return `beginning of range (${first}) beyond end of range (${last}): ${text}`;
  return stepProblem(step, text);
}

function stepProblem(step: number, text: string): string | undefined {
  return step === 0 ? `step of range should be a positive number: ${text}` : undefined;
}

/** The number, or what is wrong. */
function parsed(text: string, names: readonly string[], low = 0): number | string {
  const index = names.indexOf(text.toLowerCase());
  if (index >= 0) return index + low;
  if (/^-?\d+$/.test(text)) return Number(text);
  const quoted = JSON.stringify(text);
  return `failed to parse int from expression ${text}: strconv.Atoi: parsing ${quoted}: invalid syntax`;
}
