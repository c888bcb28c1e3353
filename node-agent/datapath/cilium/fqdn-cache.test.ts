import { beforeEach, expect, it } from 'vitest';
import { EventEngine } from '../../../shared/netstack/event-engine.ts';
import { seededRandom } from '../../../shared/netstack/seeded-random.ts';
import { parseAddress } from '../../../shared/wire/ip-address.ts';
import { FqdnCache, MAX_ENTRIES_PER_ENDPOINT } from './fqdn-cache.ts';

const POD = parseAddress('10.244.1.5')!;
const OTHER_POD = parseAddress('10.244.1.6')!;
const [FIRST, SECOND] = ['203.0.113.1', '203.0.113.2'];
const MINUTE_US = 60_000_000;

let engine: EventEngine;
let inUse: Set<number>;
let cache: FqdnCache;
let changes: number;
beforeEach(() => {
  engine = new EventEngine({ random: seededRandom(1) });
  engine.enter(1);
  inUse = new Set();
  cache = new FqdnCache({ engine, openEnds: () => [...inUse].map((address) => [POD, address] as const) });
  changes = 0;
  cache.onChange = () => {
    changes++;
  };
});

const learn = (texts: readonly string[], ttlSeconds: number, pod = POD) =>
  cache.learn(
    pod,
    'api.example.com.',
    texts.map((text) => parseAddress(text)!),
    ttlSeconds,
  );
const known = () => cache.addressesOf({ matchPattern: '*.example.com' });
const after = (us: number): void => {
  engine.drain();
  engine.enter(engine.nowUs + us);
};

it('tells of new addresses, and not of those that are known', () => {
  learn([FIRST], 30);
  learn([FIRST], 30, OTHER_POD);
  learn([SECOND], 30);
  expect(changes).toBe(2);
  expect(known()).toEqual([FIRST, SECOND]);
  expect(cache.addressesOf({ matchName: 'other.example.com' })).toEqual([]);
  expect(cache.namesByAddress().get(parseAddress(FIRST)!)).toEqual(new Set(['api.example.com.']));
});

it('collects what is over, once a minute', () => {
  learn([FIRST], 0);
  learn([SECOND], 100);
  after(MINUTE_US / 2);
  expect(known()).toEqual([FIRST, SECOND]);
  after(MINUTE_US);
  expect(known()).toEqual([SECOND]);
  after(MINUTE_US);
  expect(known()).toEqual([]);
  expect(changes).toBe(2 + 2);
  expect(engine.nextDeadlineUs()).toBe(Number.POSITIVE_INFINITY);
});

it('keeps what a connection uses, and says so', () => {
  learn([FIRST], 1);
  inUse.add(parseAddress(FIRST)!);
  for (let i = 0; i < 5; i++) after(MINUTE_US);
  expect(cache.list()).toMatchObject([{ source: 'connection' }]);
  inUse.clear();
  for (let i = 0; i < 3; i++) after(MINUTE_US);
  expect(cache.list()).toEqual([]);
});

it('a least lifetime, and forgetting', () => {
  cache.minTtlSeconds = 3600;
  learn([FIRST], 1);
  learn([FIRST], 1, OTHER_POD);
  for (let i = 0; i < 10; i++) after(MINUTE_US);
  expect(known()).toEqual([FIRST]);
  cache.forget(({ endpoint }) => endpoint === POD);
  expect(known()).toEqual([FIRST]); // the other pod was told too
  cache.forget(() => true);
  expect(known()).toEqual([]);
});

it('a pod that asks for ever more names takes no room from others', () => {
  const address = parseAddress(FIRST)!;
  for (let i = 0; i < MAX_ENTRIES_PER_ENDPOINT; i++) cache.learn(POD, `${i}.example.com.`, [address], 30);
  expect(cache.refused).toBe(0);
  const before = changes;
  cache.learn(POD, 'more.example.com.', [parseAddress(SECOND)!], 30);
  expect([cache.refused, changes - before]).toEqual([1, 0]);
  cache.learn(OTHER_POD, 'more.example.com.', [parseAddress(SECOND)!], 30);
  expect(known()).toEqual([FIRST, SECOND]);
  cache.forget(({ endpoint }) => endpoint === POD);
  cache.learn(POD, 'more.example.com.', [address], 30);
  expect([cache.refused, cache.list().length]).toEqual([1, 2]);
});
