/**
 * One measured figure: repeats of the same quantity, summed up by their median, beside a reference that was measured in
 * the same run. A ratio travels from machine to machine; an absolute figure does not.
 */

export interface Goal {
  readonly compare: '<=' | '>=';
  readonly bound: number;
  /** What the bound is held against. */
  readonly of: 'value' | 'ratio';
}

export interface FigureInput {
  readonly label: string;
  readonly unit: string;
  /** One entry a repeat. */
  readonly samples: readonly number[];
  readonly reference?: { readonly label: string; readonly samples: readonly number[] };
  readonly goal?: Goal;
}

export interface Figure {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly unit: string;
  readonly repeats: number;
  readonly reference: number | null;
  readonly referenceLabel: string | null;
  readonly ratio: number | null;
  readonly goal: string | null;
  readonly met: boolean | null;
}

/** The middle value (mean of the middle two). Throws on an empty list: a figure without a sample is a bug. */
export function median(samples: readonly number[]): number {
  if (samples.length === 0) throw new Error('median of no samples');
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/** Sums up the repeats. The ratio is the median of the ratios pair by pair when both sides have as many repeats. */
export function summarize(input: FigureInput): Figure {
  const value = median(input.samples);
  const reference = input.reference === undefined ? null : median(input.reference.samples);
  const ratio = input.reference === undefined ? null : ratioOf(input.samples, input.reference.samples);
  return {
    label: input.label,
    value,
    min: Math.min(...input.samples),
    max: Math.max(...input.samples),
    unit: input.unit,
    repeats: input.samples.length,
    reference,
    referenceLabel: input.reference?.label ?? null,
    ratio,
    goal: input.goal === undefined ? null : `${input.goal.of} ${input.goal.compare} ${input.goal.bound}`,
    met: input.goal === undefined ? null : meets(input.goal, input.goal.of === 'ratio' ? ratio : value),
  };
}

function ratioOf(samples: readonly number[], reference: readonly number[]): number {
  if (samples.length !== reference.length) return median(samples) / median(reference);
  return median(samples.map((sample, i) => sample / (reference[i] as number)));
}

function meets(goal: Goal, measured: number | null): boolean {
  if (measured === null) throw new Error('a goal on a ratio needs a reference');
  return goal.compare === '<=' ? measured <= goal.bound : measured >= goal.bound;
}
