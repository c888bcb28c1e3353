import { describe, expect, test } from 'vitest';
import { checkFieldSelector, fieldSelectorMatches, nameInFieldSelector, parseFieldSelector } from './field-selector.ts';
import { DEPLOYMENTS, PODS } from './resources.ts';

const POD = {
  metadata: { name: 'a', namespace: 'default' },
  spec: { nodeName: 'worker-1' },
  status: { phase: 'Running', podIP: '10.244.1.2' },
};

describe('field selectors', () => {
  test.each([
    ['', true],
    ['spec.nodeName=worker-1', true],
    ['spec.nodeName==worker-1,status.phase!=Failed', true],
    ['spec.nodeName!=worker-1', false],
    ['spec.nodeName=', false],
    ['status.nominatedNodeName=', true],
    ['spec.hostNetwork=false', true],
    ['metadata.name=a', true],
  ])('%s', (text, matches) => {
    expect(fieldSelectorMatches(parseFieldSelector(text), POD)).toBe(matches);
  });

  test('escaped values', () => {
    const { requirements } = parseFieldSelector('a=x\\,y\\=z\\\\,b=c');
    expect(requirements.map(({ value }) => value)).toEqual(['x,y=z\\', 'c']);
  });

  test('what cannot be read or is not served is a BadRequest', () => {
    expect(() => parseFieldSelector('nonsense')).toThrow("invalid selector: 'nonsense'; can't understand 'nonsense'");
    expect(() => checkFieldSelector(parseFieldSelector('spec.foo=x'), PODS)).toThrow(
      'field label not supported: spec.foo',
    );
    expect(() => checkFieldSelector(parseFieldSelector('spec.foo=x'), DEPLOYMENTS)).toThrow(
      '"spec.foo" is not a known field selector: only "metadata.name", "metadata.namespace"',
    );
  });

  test('a pinned name is found', () => {
    expect(nameInFieldSelector(parseFieldSelector('metadata.name=x'))).toBe('x');
    expect(nameInFieldSelector(parseFieldSelector('metadata.name!=x'))).toBeUndefined();
  });
});
