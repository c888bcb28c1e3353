import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  labelSelectorMatches,
  labelSelectorText,
  objectSelectorMatches,
  parseLabelSelector,
  selectorFromObject,
} from './label-selector.ts';

const WEB = { app: 'web', tier: 'front', weight: '5' };

describe('text form', () => {
  test.each([
    ['', true],
    ['app=web', true],
    ['app==web', true],
    ['app = web , tier in (front, back)', true],
    ['app!=web', false],
    ['missing!=x', true],
    ['tier notin (back)', true],
    ['missing notin (back)', true],
    ['app', true],
    ['!app', false],
    ['!missing', true],
    ['weight>4,weight<6', true],
    ['weight>5', false],
    ['app=', false],
    ['example.com/x in (a,)', false],
  ])('%s', (text, matches) => {
    expect(labelSelectorMatches(parseLabelSelector(text), WEB)).toBe(matches);
  });

  test.each(['a=b=c', 'a in b', 'a in (b', ',a', 'a,', 'a b', 'a>x', '(', '-a=b', 'a=-b', 'a=b,,c=d'])(
    '%s is refused',
    (text) => {
      expect(() => parseLabelSelector(text)).toThrow(/unable to parse requirement/);
    },
  );

  test('the canonical text reads back to the same selector', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
    const requirement = fc.oneof(
      fc.record({ key: name, operator: fc.constantFrom('exists', '!'), values: fc.constant([]) }),
      fc.record({
        key: name,
        operator: fc.constantFrom('in', 'notin'),
        values: fc.uniqueArray(name, { minLength: 1 }),
      }),
    );
    const labels = fc.dictionary(name, name);
    fc.assert(
      fc.property(fc.array(requirement), labels, (requirements, sample) => {
        const selector = { requirements: requirements as never };
        const again = parseLabelSelector(labelSelectorText(selector));
        expect(labelSelectorMatches(again, sample)).toBe(labelSelectorMatches(selector, sample));
      }),
    );
  });

  test('any text either parses or is a BadRequest', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseLabelSelector(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 400 });
        }
      }),
    );
  });
});

describe('object form', () => {
  test('empty selects everything, absent nothing', () => {
    expect(objectSelectorMatches({}, {})).toBe(true);
    expect(objectSelectorMatches(undefined, {})).toBe(false);
    expect(objectSelectorMatches(null, {})).toBe(false);
  });

  test('labels and expressions must all hold', () => {
    const selector = {
      matchLabels: { app: 'web' },
      matchExpressions: [
        { key: 'tier', operator: 'In', values: ['front', 'back'] },
        { key: 'canary', operator: 'DoesNotExist' },
      ],
    };
    expect(objectSelectorMatches(selector, WEB)).toBe(true);
    expect(objectSelectorMatches(selector, { ...WEB, canary: '' })).toBe(false);
    expect(labelSelectorText(selectorFromObject(selector)!)).toBe('app=web,tier in (back,front),!canary');
  });

  test('an unknown operator is refused', () => {
    expect(() => selectorFromObject({ matchExpressions: [{ key: 'a', operator: 'Gt', values: ['1'] }] })).toThrow(/Gt/);
  });
});
