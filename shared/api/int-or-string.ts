/** Values that are a whole number or a text: port or port name, count or percentage. */

export type IntOrString = number | string;

/** `25%` -> 25; undefined when the text is no percentage. */
export function percentOf(text: string): number | undefined {
  return /^\d+%$/.test(text) ? Number(text.slice(0, -1)) : undefined;
}

/**
 * A count, or a percentage of `total` rounded up or down; undefined when the text is neither
 * (Deployment's maxSurge rounds up, its maxUnavailable rounds down).
 */
export function scaledCount(value: IntOrString, total: number, round: 'up' | 'down'): number | undefined {
  if (typeof value === 'number') return value;
  const percent = percentOf(value);
  if (percent === undefined) return undefined;
  const exact = (percent * total) / 100;
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact);
}
