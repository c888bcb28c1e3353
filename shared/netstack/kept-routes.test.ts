import { beforeEach, describe, expect, it } from 'vitest';
import { parseIpv4 } from '../wire/address.ts';
import { EventEngine } from './event-engine.ts';
import { KeptRoutes } from './kept-routes.ts';
import { Fib } from './route.ts';

const SECOND_US = 1_000_000;
const prefix = { destination: parseIpv4('10.244.2.0')!, prefixLength: 24 };
const kept = { ...prefix, type: 'blackhole', protocol: 'bird' } as const;

describe('routes that a daemon keeps', () => {
  let engine: EventEngine;
  let routes: Fib;
  let daemon: KeptRoutes;

  beforeEach(() => {
    engine = new EventEngine({ random: () => 0.5 });
    routes = new Fib();
    daemon = new KeptRoutes({ engine, routes, intervalUs: 10 * SECOND_US });
    daemon.set(kept);
  });

  it('what somebody takes is back after the next look, and not before', () => {
    engine.enter(3 * SECOND_US);
    expect(routes.remove(prefix)).toBe(true);
    engine.enter(10 * SECOND_US - 1);
    expect(routes.has(prefix)).toBe(false);
    engine.enter(10 * SECOND_US);
    expect(routes.has(kept)).toBe(true);
  });

  it("an administrator's route in its place stays until he takes it away", () => {
    routes.remove(prefix);
    routes.add({ ...prefix, type: 'unreachable' });
    engine.enter(30 * SECOND_US);
    expect(routes.list().map(({ type }) => type)).toEqual(['unreachable']);
    routes.remove(prefix);
    engine.enter(40 * SECOND_US);
    expect(routes.list().map(({ type }) => type)).toEqual(['blackhole']);
  });

  it('what the daemon itself takes away stays away', () => {
    daemon.remove(prefix);
    engine.enter(30 * SECOND_US);
    expect(routes.size).toBe(0);
  });

  it('nobody looks where there is no interval', () => {
    const other = new Fib();
    new KeptRoutes({ engine, routes: other, intervalUs: undefined }).set(kept);
    other.remove(prefix);
    engine.enter(1000 * SECOND_US);
    expect(other.size).toBe(0);
  });
});
