/**
 * A value for every whole number from the lowest up, constant between a few boundaries: ports to decisions, addresses to sets
 * of rules. A look-up is a binary search over the boundaries.
 */
export class StepFunction<Value, Point extends number | bigint = number> {
  /** Ascending, the first is the lowest point. */
  readonly starts: readonly Point[];
  private readonly values: readonly Value[];

  /** `valueFrom(start)` is the value from a boundary to the next one; equal neighbours become one step. */
  constructor(lowest: Point, boundaries: Iterable<Point>, valueFrom: (start: Point) => Value) {
    const starts: Point[] = [];
    const values: Value[] = [];
    for (const start of [...new Set([lowest, ...boundaries])].sort(ascending)) {
      const value = valueFrom(start);
      if (starts.length > 0 && values.at(-1) === value) continue;
      starts.push(start);
      values.push(value);
    }
    this.starts = starts;
    this.values = values;
  }

  /** The value of a function with a single step. */
  get only(): Value | undefined {
    return this.values.length === 1 ? this.values[0] : undefined;
  }

  /** Each step from its start on, in order. */
  steps(): readonly (readonly [start: Point, value: Value])[] {
    return this.starts.map((start, i) => [start, this.values[i]!] as const);
  }

  at(point: Point): Value {
    const { starts, values } = this;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (starts[middle]! <= point) low = middle;
      else high = middle - 1;
    }
    return values[low]!;
  }
}

function ascending(a: number | bigint, b: number | bigint): number {
  return a < b ? -1 : Number(a > b);
}
