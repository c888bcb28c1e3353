/** The requests that the demo's client made, one line of its output each, and what they sum up to. */

export interface RequestRecord {
  readonly atMs: number;
  /** The backend's pod name; empty when there was no answer. */
  readonly backend: string;
  readonly httpCode: number;
  readonly seconds: number;
}

/** A line of the client: `NAME CODE SECONDS`; a failed request has no name. */
export function parseRequest(line: string, atMs: number): RequestRecord | undefined {
  const match = /^(\S*) (\d{3}) (\d+(?:\.\d+)?)$/.exec(line);
  if (match === null) return undefined;
  return { atMs, backend: match[1] ?? '', httpCode: Number(match[2]), seconds: Number(match[3]) };
}

export function succeeded({ httpCode }: RequestRecord): boolean {
  return httpCode === 200;
}

/** Nearest-rank percentile (0 to 100). Throws on an empty list. */
export function percentile(values: readonly number[], percent: number): number {
  if (values.length === 0) throw new Error('a percentile of nothing');
  const sorted = [...values].sort((a, b) => a - b);
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length));
  return sorted[rank - 1] as number;
}

export function countByBackend(requests: readonly RequestRecord[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { backend } of requests) counts.set(backend, (counts.get(backend) ?? 0) + 1);
  return counts;
}
