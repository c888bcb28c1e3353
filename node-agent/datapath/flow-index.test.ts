import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FlowIndex } from './flow-index.ts';

interface Step {
  readonly add: boolean;
  /** Few values, so that tuples meet again and their searches run into each other. */
  readonly source: number;
  readonly ports: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  add: fc.boolean(),
  source: fc.integer({ min: -8, max: 8 }),
  ports: fc.integer({ min: -20, max: 20 }),
});

describe('FlowIndex', () => {
  it('finds the last of the flows of a tuple, as a list would, whatever came and went', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 2000 }), fc.integer(), (steps, seed) => {
        const index = new FlowIndex(seed);
        const model = new Map<string, number[]>();
        for (const [flow, { add, source, ports }] of steps.entries()) {
          const key = `${source} ${ports}`;
          const flows = model.get(key) ?? [];
          model.set(key, flows);
          if (add) {
            index.add(source, 7, ports, 17, flow);
            flows.push(flow);
          } else if (flows.length > 0) {
            index.remove(source, 7, ports, 17, flows.splice(flow % flows.length, 1)[0]!);
          }
          expect(index.find(source, 7, ports, 17)).toBe(flows.at(-1) ?? -1);
        }
        for (const [key, flows] of model) {
          const [source, ports] = key.split(' ').map(Number) as [number, number];
          expect(index.find(source, 7, ports, 17)).toBe(flows.at(-1) ?? -1);
          expect(index.find(source, 7, ports, 6)).toBe(-1);
          expect(index.find(source, 8, ports, 17)).toBe(-1);
        }
      }),
      { numRuns: 60, verbose: true },
    );
  });

  it('says so when it is to remove what it does not have', () => {
    const index = new FlowIndex(1);
    index.add(1, 2, 3, 6, 0);
    expect(() => index.remove(1, 2, 3, 6, 1)).toThrow('not in its index');
    index.remove(1, 2, 3, 6, 0);
    expect(index.find(1, 2, 3, 6)).toBe(-1);
  });
});
