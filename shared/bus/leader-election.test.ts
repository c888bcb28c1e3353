import type { Lease } from 'kubernetes-types/coordination/v1.js';
import { describe, expect, it } from 'vitest';
import { LEASES } from '../api/resources.ts';
import { alreadyExists, conflict, notFound } from '../api/status.ts';
import { FakeClock } from '../runtime/clock.ts';
import type { ApiClient } from './api-client.ts';
import { runAsLeader } from './leader-election.ts';

/** An API that holds one Lease and refuses stale updates. */
class LeaseStore {
  lease: Lease | undefined;
  broken = false;
  private revision = 0;

  readonly api = {
    get: async () => this.read(),
    create: async (_: unknown, lease: Lease) => {
      if (this.lease !== undefined) throw alreadyExists(LEASES, 'job');
      return this.write(lease);
    },
    update: async (_: unknown, lease: Lease) => {
      const present = this.read();
      if (present.metadata?.resourceVersion !== lease.metadata?.resourceVersion) throw conflict(LEASES, 'job');
      return this.write(lease);
    },
    // The election uses only these three.
  } as unknown as ApiClient;

  get holder(): string | undefined {
    return this.lease?.spec?.holderIdentity;
  }

  private read(): Lease {
    if (this.broken) throw new Error('no apiserver');
    if (this.lease === undefined) throw notFound(LEASES, 'job');
    return this.lease;
  }

  private write(lease: Lease): Lease {
    if (this.broken) throw new Error('no apiserver');
    this.lease = { ...lease, metadata: { ...lease.metadata, resourceVersion: String(++this.revision) } };
    return this.lease;
  }
}

function startCandidate(store: LeaseStore, clock: FakeClock, identity: string) {
  const stop = new AbortController();
  const candidate = { leading: 0, stop };
  const ended = runAsLeader(store.api, {
    name: 'job',
    identity,
    clock,
    leaseMs: 3000,
    signal: stop.signal,
    onStarted(signal) {
      candidate.leading++;
      signal.addEventListener('abort', () => candidate.leading--);
    },
  });
  return { candidate, ended };
}

describe('runAsLeader', () => {
  it('lets one of two lead, and the other at once after a release', async () => {
    const clock = new FakeClock();
    const store = new LeaseStore();
    const a = startCandidate(store, clock, 'a');
    await clock.advance(1);
    const b = startCandidate(store, clock, 'b');
    await clock.advance(20_000);
    expect([a.candidate.leading, b.candidate.leading]).toEqual([1, 0]);
    a.candidate.stop.abort();
    await clock.advance(1);
    await a.ended;
    await clock.advance(750);
    expect([a.candidate.leading, b.candidate.leading]).toEqual([0, 1]);
    b.candidate.stop.abort();
    await clock.advance(1);
    await b.ended;
    expect(store.holder).toBe('');
    expect(clock.pendingTimers).toBe(0);
  });

  it('takes over from a leader that died only after the lease ran out', async () => {
    const clock = new FakeClock();
    const store = new LeaseStore();
    store.lease = {
      metadata: { name: 'job', resourceVersion: '0' },
      spec: { holderIdentity: 'dead', leaseDurationSeconds: 3, renewTime: '2020-01-01T00:00:00.000000Z' },
    };
    const b = startCandidate(store, clock, 'b');
    await clock.advance(2900);
    expect(b.candidate.leading).toBe(0);
    await clock.advance(1000);
    expect(b.candidate.leading).toBe(1);
    expect(store.lease.spec?.leaseTransitions).toBe(1);
    b.candidate.stop.abort();
    await clock.advance(1);
    await b.ended;
  });

  it('goes on at once when the same candidate was restarted', async () => {
    const clock = new FakeClock();
    const store = new LeaseStore();
    store.lease = {
      metadata: { name: 'job', resourceVersion: '0' },
      spec: { holderIdentity: 'b', leaseDurationSeconds: 3, renewTime: '2020-01-01T00:00:00.000000Z' },
    };
    const b = startCandidate(store, clock, 'b');
    await clock.advance(0);
    expect(b.candidate.leading).toBe(1);
    b.candidate.stop.abort();
    await clock.advance(1);
    await b.ended;
  });

  it('stops leading before the lease runs out when it cannot renew, and leads again afterwards', async () => {
    const clock = new FakeClock();
    const store = new LeaseStore();
    const a = startCandidate(store, clock, 'a');
    await clock.advance(1);
    store.broken = true;
    await clock.advance(2999);
    expect(a.candidate.leading).toBe(0);
    store.broken = false;
    await clock.advance(3000);
    expect(a.candidate.leading).toBe(1);
    a.candidate.stop.abort();
    await clock.advance(1);
    await a.ended;
  });

  it('stops leading when another one took the lease', async () => {
    const clock = new FakeClock();
    const store = new LeaseStore();
    const a = startCandidate(store, clock, 'a');
    await clock.advance(1);
    store.lease = {
      ...store.lease,
      metadata: { name: 'job', resourceVersion: 'other' },
      spec: { ...store.lease?.spec, holderIdentity: 'thief', renewTime: '2030-01-01T00:00:00.000000Z' },
    };
    await clock.advance(1000);
    expect(a.candidate.leading).toBe(0);
    expect(store.holder).toBe('thief');
    a.candidate.stop.abort();
    await clock.advance(1);
    await a.ended;
  });
});
