/** Times as the API writes them (RFC 3339, UTC): whole seconds, or six decimals for micro times. */

const RFC3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/** Milliseconds since the epoch; undefined when the text is not an RFC 3339 time. */
export function parseTimestamp(text: string): number | undefined {
  if (!RFC3339.test(text)) return undefined;
  const timeMs = Date.parse(text);
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

/** `2026-01-31T08:00:00Z`. */
export function formatTimestamp(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}

/** `2026-01-31T08:00:00.123456Z`; `extraMicroseconds` are those below the millisecond. */
export function formatMicroTimestamp(timeMs: number, extraMicroseconds = 0): string {
  return `${new Date(timeMs).toISOString().slice(0, 23)}${String(extraMicroseconds).padStart(3, '0')}Z`;
}

/** The same time in the API's form with whole seconds; undefined when it is no time. */
export function normalizeTimestamp(text: string): string | undefined {
  const timeMs = parseTimestamp(text);
  return timeMs === undefined ? undefined : formatTimestamp(timeMs);
}

/** The same time with six decimals; undefined when it is no time. */
export function normalizeMicroTimestamp(text: string): string | undefined {
  const timeMs = parseTimestamp(text);
  if (timeMs === undefined) return undefined;
  const decimals = /\.(\d+)/.exec(text)?.[1] ?? '';
  const microseconds = Number(decimals.padEnd(6, '0').slice(3, 6));
  return formatMicroTimestamp(timeMs, microseconds);
}
