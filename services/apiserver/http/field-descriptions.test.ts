import { expect, test } from 'vitest';
import { describeType, parseDescriptions } from './field-descriptions.ts';

test('the comments of a declaration file belong to the type or field behind them', () => {
  const types = parseDescriptions(`
/** What A is. */
export interface A {
    /** One * line. */
    one?: string;
    /**
     * Several lines:
     *   - indented
     */
    "x-two": number;
}
/** What B is. */
export interface B {
    /** Not A's. */
    one: string;
}`);
  expect(types.get('A')?.description).toBe('What A is.');
  expect(types.get('A')?.fields.get('one')).toBe('One * line.');
  expect(types.get('A')?.fields.get('x-two')).toBe('Several lines:\n  - indented');
  expect(types.get('B')?.fields.get('one')).toBe("Not A's.");
});

test('the API reference has words for the common types', () => {
  expect(describeType('core.v1.Pod')?.description).toMatch(/^Pod is a collection of containers/);
  expect(describeType('core.v1.ServicePort')?.fields.get('port')).toMatch(/port that will be exposed/);
  expect(describeType('meta.v1.ObjectMeta')?.fields.get('name')).toMatch(/^Name must be unique/);
  expect(describeType('core.v1.NoSuchType')).toBeUndefined();
});
