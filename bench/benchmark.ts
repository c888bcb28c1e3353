import type { FigureInput } from './figure.ts';

export interface BenchmarkContext {
  /** How often each quantity is measured. */
  readonly repeats: number;
  /** A line of progress for the person who waits. */
  progress(line: string): void;
}

/** What could not be measured here. */
export interface MissingFigure {
  readonly label: string;
  /** Why. */
  readonly missing: string;
}

/** One file in this folder a benchmark; it measures its reference in the same run and cleans up after itself. */
export interface Benchmark {
  readonly name: string;
  readonly summary: string;
  run(context: BenchmarkContext): Promise<Record<string, FigureInput | MissingFigure>>;
}
