/** Request headers as Go shows them: canonical names (`User-Agent`), sorted, every value; `Host` is not among them. */
import type { IncomingHttpHeaders } from 'node:http';

/** `raw` has names and values in turn; HTTP/2's own fields (`:path`) are left out. */
export function goHeaders(raw: readonly string[]): Readonly<Record<string, readonly string[]>> {
  const headers = new Map<string, string[]>();
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = canonicalName(raw[index] ?? '');
    if (name === 'Host' || name.startsWith(':')) continue;
    const values = headers.get(name) ?? [];
    headers.set(name, [...values, raw[index + 1] ?? '']);
  }
  return Object.fromEntries([...headers].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function canonicalName(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

export function headerText(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
