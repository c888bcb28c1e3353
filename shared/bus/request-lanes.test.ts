import { expect, test } from 'vitest';
import { BackgroundLaneFullError, RequestLanes } from './request-lanes.ts';

/** Requests that end when they are told to. */
class Requests {
  readonly begun: string[] = [];
  private readonly ends = new Map<string, () => void>();

  request(name: string): () => Promise<string> {
    return () => {
      this.begun.push(name);
      return new Promise((resolve) => this.ends.set(name, () => resolve(name)));
    };
  }

  async end(name: string): Promise<void> {
    this.ends.get(name)?.();
    await settle();
  }
}

/** Everything that waits only for promises has gone on. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

function lanes(inFlight = 2) {
  const clock = { nowMs: 0 };
  return { clock, lanes: new RequestLanes({ inFlight, nowMs: () => clock.nowMs }), requests: new Requests() };
}

test('work goes in order, so many at a time', async () => {
  const { lanes: both, requests } = lanes();
  const results = ['a', 'b', 'c', 'd'].map((name) => both.work(requests.request(name)));
  await settle();
  expect(requests.begun).toEqual(['a', 'b']);
  await requests.end('b');
  expect(requests.begun).toEqual(['a', 'b', 'c']);
  for (const name of ['a', 'c', 'd']) await requests.end(name);
  expect(await Promise.all(results)).toEqual(['a', 'b', 'c', 'd']);
});

test('a request that fails gives its place away, and its caller the error', async () => {
  const { lanes: both, requests } = lanes(1);
  const failing = both.work(() => Promise.reject(new Error('refused')));
  const next = both.work(requests.request('next'));
  await expect(failing).rejects.toThrow('refused');
  await settle();
  expect(requests.begun).toEqual(['next']);
  await requests.end('next');
  expect(await next).toBe('next');
});

test('beside work, background requests have a burst and then a rate; without it they go on', async () => {
  const { clock, lanes: both, requests } = lanes();
  void both.work(requests.request('work'));
  for (let i = 0; i < 200; i++) void both.background(requests.request(`event-${i}`));
  await settle();
  expect(requests.begun).toHaveLength(1 + 8);
  for (let i = 0; i < 100; i++) await requests.end(`event-${i}`);
  expect(requests.begun).toHaveLength(1 + 100);
  clock.nowMs += 250;
  void both.background(requests.request('event-200'));
  await settle();
  expect(requests.begun).toHaveLength(1 + 105);
  await requests.end('work');
  for (let i = 100; i <= 200; i++) await requests.end(`event-${i}`);
  expect(requests.begun).toHaveLength(1 + 201);
});

test('a line of background requests has an end', async () => {
  const { lanes: both, requests } = lanes();
  void both.work(requests.request('work'));
  for (let i = 0; i < 8 + 10_000; i++) void both.background(requests.request(`event-${i}`));
  await expect(both.background(requests.request('one more'))).rejects.toThrow(BackgroundLaneFullError);
});
