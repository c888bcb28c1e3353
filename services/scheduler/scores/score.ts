/** What a score is: a number for every node that fits, brought to 0-100 and weighted. */
import type { Placement } from '../filters/filter.ts';
import type { NodeInfo } from '../node-info.ts';

export interface Score {
  readonly name: string;
  /** How much it counts against the others; the original's default weights. */
  readonly weight: number;
  /** Raw numbers for these nodes, in their order. */
  raw(placement: Placement, nodes: readonly NodeInfo[]): number[];
  /** How raw numbers become 0-100. */
  readonly scale: 'as-is' | 'highest-is-best' | 'lowest-is-best' | 'range';
}

export const MAX_SCORE = 100;

/** Brings raw scores to 0-100. */
export function normalize(raw: readonly number[], scale: Score['scale']): number[] {
  if (scale === 'as-is') return [...raw];
  const highest = Math.max(...raw, 0);
  const lowest = Math.min(...raw);
  if (scale === 'range') {
    const span = Math.max(...raw) - lowest;
    return raw.map((value) => (span === 0 ? 0 : ((value - lowest) / span) * MAX_SCORE));
  }
  if (highest === 0) return raw.map(() => (scale === 'lowest-is-best' ? MAX_SCORE : 0));
  const share = raw.map((value) => (value / highest) * MAX_SCORE);
  return scale === 'highest-is-best' ? share : share.map((value) => MAX_SCORE - value);
}
