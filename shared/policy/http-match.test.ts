import { describe, expect, it } from 'vitest';
import { type HttpRequestFacts, httpRuleAllows } from './http-match.ts';
import { httpRuleText } from './http-rule-text.ts';
import type { HttpRule } from './l7-rules.ts';

const HEADERS: Readonly<Record<string, readonly string[]>> = { 'x-token': ['a', 'b'] };
const request = (method: string, path: string): HttpRequestFacts => ({
  method,
  path,
  host: 'web.shop',
  header: (name) => HEADERS[name] ?? [],
});

it.each<[HttpRule, string, string, boolean]>([
  [{}, 'DELETE', '/', true],
  [{ method: 'GET' }, 'GET', '/', true],
  [{ method: 'GET' }, 'GETS', '/', false],
  [{ method: 'GET|PUT' }, 'PUT', '/', true],
  [{ path: '/public' }, 'GET', '/public/1', false],
  [{ path: '/public/.*' }, 'GET', '/public/1?q=1', true],
  [{ path: '/a|/b' }, 'GET', '/ab', false],
  [{ path: '(' }, 'GET', '(', false],
  [{ path: '(?i)/PUBLIC' }, 'GET', '/public', true],
  [{ path: '/[[:digit:]]+\\z' }, 'GET', '/12', true],
  [{ path: '/(?=p)public' }, 'GET', '/public', false],
  [{ path: '(a)\\1' }, 'GET', 'aa', false],
  [{ host: 'web\\.shop' }, 'GET', '/', true],
  [{ host: 'web' }, 'GET', '/', false],
  [{ headers: ['X-Token: b'] }, 'GET', '/', true],
  [{ headers: ['X-Token: c'] }, 'GET', '/', false],
  [{ headers: ['X-Token'] }, 'GET', '/', true],
  [{ headers: ['X-Other'] }, 'GET', '/', false],
  [{ headerMatches: [{ name: 'X-Token', value: 'a' }] }, 'GET', '/', true],
  [{ headerMatches: [{ name: 'X-Token', value: 'A' }] }, 'GET', '/', false],
])('%j and %s %s: %s', (rule, method, path, allows) => {
  expect(httpRuleAllows(rule, request(method, path))).toBe(allows);
});

it('an expression that can be tried in more ways than there is time is answered', () => {
  expect(httpRuleAllows({ path: '/((a+)+)+' }, request('GET', `/${'a'.repeat(50_000)}b`))).toBe(false);
  expect(httpRuleAllows({ path: '/(a?){30}a{30}b' }, request('GET', `/${'a'.repeat(30)}`))).toBe(false);
});

describe('for people', () => {
  it.each<[HttpRule, string]>([
    [{}, 'every request'],
    [{ method: 'GET', path: '/v1' }, 'GET /v1'],
    [{ path: '/v1', host: 'web', headers: ['X-Token: a'] }, '/v1, host web, header X-Token: a'],
  ])('%j is %s', (rule, text) => {
    expect(httpRuleText(rule)).toBe(text);
  });
});
