import { expect, it } from 'vitest';
import { normalPath } from './http-path.ts';

it.each([
  ['/', '/'],
  ['', '/'],
  ['*', '*'],
  ['/a/b?c=/../d', '/a/b?c=/../d'],
  ['/public/../private', '/private'],
  ['/public/%2E%2e/private', '/private'],
  ['/../../a/./b/..', '/a/'],
  ['//a///b//', '/a/b/'],
  ['/a\\..\\b', '/b'],
  ['/%61%20%c3%A9', '/a%20%c3%A9'],
  ['http://web:80/a?b', '/a?b'],
  ['http://web', '/'],
])('%s is %s', (target, path) => {
  expect(normalPath(target)).toEqual({ path, isRedirected: false });
});

it.each([
  ['/a%2Fb', '/a/b'],
  ['/public/..%2fprivate', '/private'],
  ['/public%5C..%5cprivate?x=%2f', '/private?x=%2f'],
])('%s is said again as %s', (target, path) => {
  expect(normalPath(target)).toEqual({ path, isRedirected: true });
});
