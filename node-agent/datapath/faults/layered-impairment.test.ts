import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ImpairmentChange, isUnimpaired, mergeImpairment, UNIMPAIRED } from '../../../shared/rules/impairment.ts';
import { LayeredImpairment } from './layered-impairment.ts';

const STAYS = Number.POSITIVE_INFINITY;

const changes = fc.record(
  {
    delayUs: fc.nat(1000),
    jitterUs: fc.nat(1000),
    loss: fc.constantFrom(0, 0.5),
    corrupt: fc.constantFrom(0, 0.1),
    partition: fc.boolean(),
  },
  { requiredKeys: [] },
);

describe('changes that stay', () => {
  test('what is not named stays; what is named holds', () => {
    fc.assert(
      fc.property(fc.array(changes, { maxLength: 10 }), (list) => {
        const result = list.reduce<LayeredImpairment>(
          (all, change) => all.with(change, STAYS),
          new LayeredImpairment(),
        );
        expect(result.effective).toEqual({ ...UNIMPAIRED, ...Object.assign({}, ...list) });
        expect(result.nextEndUs).toBe(STAYS);
      }),
    );
  });

  test('naming 0 clears just that', () => {
    const both = new LayeredImpairment().with({ delayUs: 5, loss: 0.1 }, STAYS);
    expect(both.with({ loss: 0 }, STAYS).effective).toEqual({ ...UNIMPAIRED, delayUs: 5 });
    expect(isUnimpaired(both.with({ loss: 0, delayUs: 0 }, STAYS).effective)).toBe(true);
  });

  test('the two kinds of loss replace each other', () => {
    const burstLoss = { toBad: 0.01, toGood: 0.1, lossInBad: 1, lossInGood: 0 };
    const bursts = mergeImpairment({ ...UNIMPAIRED, loss: 0.1, lossCorrelation: 0.5 }, { burstLoss });
    expect(bursts).toEqual({ ...UNIMPAIRED, burstLoss });
    expect(mergeImpairment(bursts, { loss: 0.2 })).toEqual({ ...UNIMPAIRED, loss: 0.2 });
    expect(mergeImpairment(bursts, { loss: 0 })).toEqual(UNIMPAIRED);
  });
});

describe('changes for a while', () => {
  const base = new LayeredImpairment().with({ delayUs: 20 }, STAYS);

  test('when they end, what was there before is there again', () => {
    const cut = base.with({ partition: true, delayUs: 99 }, 100);
    expect(cut.effective).toMatchObject({ partition: true, delayUs: 99 });
    expect(cut.nextEndUs).toBe(100);
    expect(cut.at(99).effective).toMatchObject({ partition: true });
    expect(cut.at(100).effective).toEqual(base.effective);
  });

  test('a shorter one lies over a longer one', () => {
    const both = base.with({ loss: 0.1 }, 100).with({ loss: 0.5 }, 50);
    expect(both.effective.loss).toBe(0.5);
    expect(both.at(50).effective.loss).toBe(0.1);
    expect(both.at(100).effective.loss).toBe(0);
  });

  test('a longer one replaces a shorter one, and one that stays replaces all', () => {
    expect(base.with({ loss: 0.1 }, 50).with({ loss: 0.5 }, 100).nextEndUs).toBe(100);
    const stays = base.with({ loss: 0.1, delayUs: 1 }, 50).with({ loss: 0.2 }, STAYS);
    expect(stays.effective).toMatchObject({ loss: 0.2, delayUs: 1 });
    expect(stays.at(50).effective).toMatchObject({ loss: 0.2, delayUs: 20 });
  });

  test('none outlives its time, whatever the order', () => {
    const timed = fc.array(fc.tuple(changes, fc.integer({ min: 1, max: 100 })), { maxLength: 12 });
    fc.assert(
      fc.property(timed, (list) => {
        const all = list.reduce<LayeredImpairment>(
          (layers, [change, untilUs]: [ImpairmentChange, number]) => layers.with(change, untilUs),
          base,
        );
        expect(all.at(100).effective).toEqual(base.effective);
        expect(all.at(100).nextEndUs).toBe(STAYS);
      }),
    );
  });
});
