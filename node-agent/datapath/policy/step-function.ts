/**
 * A value for every whole number from 0 up, constant between a few boundaries: ports to decisions, addresses to sets of
 * rules. A look-up is a binary search over the boundaries.
 */
export class StepFunction<Value> {
  /** Ascending, the first is 0. */
  private readonly starts: readonly number[];
  private readonly values: readonly Value[];

  /** `valueFrom(start)` is the value from a boundary to the next one; equal neighbours become one step. */
  constructor(boundaries: Iterable<number>, valueFrom: (start: number) => Value) {
    const starts: number[] = [];
    const values: Value[] = [];
    for (const start of [...new Set([0, ...boundaries])].sort((a, b) => a - b)) {
      const value = valueFrom(start);
      if (starts.length > 0 && values.at(-1) === value) continue;
      starts.push(start);
      values.push(value);
    }
    this.starts = starts;
    this.values = values;
  }

  get steps(): number {
    return this.starts.length;
  }

  at(point: number): Value {
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
