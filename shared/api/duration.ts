/** Durations: the ages that tables show, and Go's text form (`1h30m`, `500ms`) that some fields hold. */

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** An age with about two significant figures, as `kubectl get` shows it: `42s`, `5m30s`, `3h`, `4d2h`, `2y30d`. */
export function humanDuration(durationMs: number): string {
  const seconds = Math.trunc(durationMs / SECOND_MS);
  if (seconds < -1) return '<invalid>';
  if (seconds < 120) return `${Math.max(0, seconds)}s`;
  const minutes = Math.trunc(durationMs / MINUTE_MS);
  if (minutes < 10) return twoParts(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(durationMs / HOUR_MS);
  if (hours < 8) return twoParts(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (days < 8) return twoParts(days, 'd', hours % 24, 'h');
  if (days < 730) return `${days}d`;
  const years = Math.trunc(days / 365);
  if (years < 8) return twoParts(years, 'y', days % 365, 'd');
  return `${years}y`;
}

function twoParts(major: number, majorUnit: string, minor: number, minorUnit: string): string {
  return minor === 0 ? `${major}${majorUnit}` : `${major}${majorUnit}${minor}${minorUnit}`;
}

const UNIT_NS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Reads Go's text form in nanoseconds; undefined when it is none. */
export function parseGoDuration(text: string): number | undefined {
  const match = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+|0)$/.exec(text);
  if (match === null) return undefined;
  let total = 0;
  for (const [, amount, unit] of match[2]!.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(amount) * UNIT_NS[unit!]!;
  }
  return match[1] === '-' ? -total : total;
}

/** Go's text form of nanoseconds: `1h30m0s`, `1.5s`, `20ms`. */
export function formatGoDuration(durationNs: number): string {
  if (durationNs === 0) return '0s';
  if (durationNs < 0) return `-${formatGoDuration(-durationNs)}`;
  if (durationNs < 1e3) return `${durationNs}ns`;
  if (durationNs < 1e6) return `${durationNs / 1e3}µs`;
  if (durationNs < 1e9) return `${durationNs / 1e6}ms`;
  const hours = Math.floor(durationNs / UNIT_NS.h!);
  const minutes = Math.floor((durationNs % UNIT_NS.h!) / UNIT_NS.m!);
  const seconds = (durationNs % UNIT_NS.m!) / 1e9;
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
