/** Counts that may be given as a share (`maxSurge: 25%`). */

/** Percentages are of `total`, rounded up or down; malformed values, which validation refuses, read as 0. */
export function resolveCount(value: string | number | undefined, total: number, round: 'up' | 'down'): number {
  if (value === undefined) return 0;
  if (typeof value === 'number') return value;
  const percent = /^(\d+)%$/.exec(value)?.[1];
  if (percent === undefined) return Number.parseInt(value, 10) || 0;
  const exact = (Number(percent) * total) / 100;
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact);
}
