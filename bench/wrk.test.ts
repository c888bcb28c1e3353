import { expect, it } from 'vitest';
import { parseWrk } from './wrk.ts';

const CALM = `Running 10s test @ http://127.0.0.1:3000/
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.02ms    1.11ms  28.54ms   96.11%
    Req/Sec    17.10k     1.93k   19.55k    82.00%
  170263 requests in 10.01s, 27.12MB read
Requests/sec:  17012.50
Transfer/sec:      2.71MB
`;

it('reads the rate, and no error where wrk speaks of none', () => {
  expect(parseWrk(CALM)).toEqual({ requestsPerSecond: 17012.5, errors: 0 });
});

it('adds up errors of sockets and refusing answers', () => {
  const errors =
    '  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 50\nRequests/sec: ';
  expect(parseWrk(CALM.replace('Requests/sec: ', errors)).errors).toBe(60);
});

it('says what it got when that is no report', () => {
  expect(() => parseWrk('unable to connect')).toThrow('unable to connect');
});
