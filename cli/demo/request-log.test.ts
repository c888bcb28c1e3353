import { describe, expect, it } from 'vitest';
import { countByBackend, parseRequest, percentile, succeeded } from './request-log.ts';

describe("the demo's requests", () => {
  it('reads an answer and a failure', () => {
    const answer = parseRequest('backend-1 200 0.002314', 5);
    expect(answer).toEqual({ atMs: 5, backend: 'backend-1', httpCode: 200, seconds: 0.002314 });
    expect(succeeded(answer!)).toBe(true);
    const failure = parseRequest(' 000 1.000201', 6);
    expect(failure?.backend).toBe('');
    expect(succeeded(failure!)).toBe(false);
    expect(parseRequest('sh: curl: not found', 7)).toBeUndefined();
  });

  it('takes the nearest rank', () => {
    expect(percentile([5, 1, 4, 2, 3], 50)).toBe(3);
    expect(percentile([1, 2, 3, 4], 99)).toBe(4);
    expect(() => percentile([], 50)).toThrow('of nothing');
  });

  it('counts who answered', () => {
    const requests = ['a', 'b', 'a'].map((backend) => ({ atMs: 0, backend, httpCode: 200, seconds: 0 }));
    expect([...countByBackend(requests)]).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
  });
});
