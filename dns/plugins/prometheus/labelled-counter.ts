/** A counter with labels, for what is counted once a query or more: label values are steps in a tree, not one key made of them. */
import type { Sample } from '../../../shared/runtime/metrics.ts';

export class LabelledCounter {
  /** With all label values that there are below this point, by the next one. */
  private readonly next = new Map<string, LabelledCounter>();
  private count = 0;

  /** Where these values lead, to count there: the values are strings that live long. */
  at(values: readonly string[]): LabelledCounter {
    let node: LabelledCounter = this;
    for (const value of values) {
      let next = node.next.get(value);
      if (next === undefined) {
        next = new LabelledCounter();
        node.next.set(value, next);
      }
      node = next;
    }
    return node;
  }

  add(by = 1): void {
    this.count += by;
  }

  samples(labelNames: readonly string[]): Sample[] {
    return this.below(labelNames, []);
  }

  private below(names: readonly string[], values: readonly string[]): Sample[] {
    if (values.length < names.length) {
      return [...this.next].flatMap(([value, node]) => node.below(names, [...values, value]));
    }
    return [{ labels: Object.fromEntries(names.map((name, index) => [name, values[index] ?? ''])), value: this.count }];
  }
}
