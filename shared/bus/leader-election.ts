/**
 * One of several equal processes does the work: the holder of a Lease in kube-system (Kubernetes documentation, "Leases").
 * Whether a holder is still alive is judged by the Lease changing, on the observer's own clock, never by comparing the
 * clocks of two machines. Every step is an update on the revision that was looked at, so at most one candidate wins.
 */
import type { Lease } from 'kubernetes-types/coordination/v1.js';
import { LEASES } from '../api/resources.ts';
import { isApiError } from '../api/status.ts';
import { untilNextBeatMs } from '../runtime/beat.ts';
import type { Clock } from '../runtime/clock.ts';
import { type Logger, silentLogger } from '../runtime/log.ts';
import type { ApiClient } from './api-client.ts';

export interface LeaderElectionOptions {
  /** The Lease: `kube-scheduler`. */
  readonly name: string;
  /**
   * Names this candidate. Stable over restarts of the same process slot, so that a restarted leader goes on at once;
   * different for every process that may run at the same time.
   */
  readonly identity: string;
  readonly clock: Clock;
  readonly log?: Logger;
  /** How long a silent holder keeps the Lease; by default 15 s, as kube-scheduler --leader-elect-lease-duration has it. It is renewed three times as often. */
  readonly leaseMs?: number;
  /** Ends the election; a held Lease is released. */
  readonly signal: AbortSignal;
  /** Called each time the Lease is won; `signal` is aborted when it is lost or the election ends. */
  onStarted(signal: AbortSignal): void | Promise<void>;
}

const NAMESPACE = 'kube-system';
const DEFAULT_LEASE_MS = 15_000;
/** Before the next look at an API that did not answer: a cluster that starts waits for its scheduler. */
const UNREACHABLE_PAUSE_MS = 250;

/** Resolves when `signal` is aborted. Rejects when `onStarted` fails. */
export async function runAsLeader(api: ApiClient, options: LeaderElectionOptions): Promise<void> {
  const election = new Election(api, options);
  while (!options.signal.aborted) {
    const lease = await election.acquire();
    if (lease !== undefined) await election.lead(lease);
  }
}

interface Observation {
  /** Holder and renewal as last seen. */
  readonly text: string;
  readonly atMs: number;
}

class Election {
  private readonly api: ApiClient;
  private readonly options: LeaderElectionOptions;
  private readonly clock: Clock;
  private readonly log: Logger;
  private readonly leaseMs: number;
  private observed: Observation | undefined;

  constructor(api: ApiClient, options: LeaderElectionOptions) {
    this.api = api;
    this.options = options;
    this.clock = options.clock;
    this.log = options.log ?? silentLogger();
    this.leaseMs = options.leaseMs ?? DEFAULT_LEASE_MS;
  }

  /** Resolves to the Lease once it is held; undefined when the election ends. */
  async acquire(): Promise<Lease | undefined> {
    while (!this.options.signal.aborted) {
      let pauseMs = this.leaseMs / 8;
      try {
        const lease = await this.tryAcquire();
        if (lease !== undefined) return lease;
      } catch (error) {
        this.log.debug({ error, lease: this.options.name }, 'the lease could not be taken');
        pauseMs = Math.min(pauseMs, UNREACHABLE_PAUSE_MS);
      }
      await this.clock.sleep(pauseMs, this.options.signal);
    }
    return undefined;
  }

  /** Does the leader's work until the Lease is lost or the election ends. */
  async lead(lease: Lease): Promise<void> {
    this.log.info({ lease: this.options.name, identity: this.options.identity }, 'became the leader');
    const leading = new AbortController();
    const end = (): void => leading.abort();
    this.options.signal.addEventListener('abort', end, { once: true });
    if (this.options.signal.aborted) end();
    try {
      await Promise.all([this.options.onStarted(leading.signal), this.holdLease(lease, leading)]);
    } finally {
      this.options.signal.removeEventListener('abort', end);
      leading.abort();
    }
  }

  private async tryAcquire(): Promise<Lease | undefined> {
    const { name, identity } = this.options;
    let present: Lease;
    try {
      present = await this.api.get<Lease>(LEASES, name, NAMESPACE);
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
      return this.api.create<Lease>(LEASES, this.claim({ metadata: { name, namespace: NAMESPACE } }));
    }
    const holder = present.spec?.holderIdentity ?? '';
    if (holder !== '' && holder !== identity && !this.hasExpired(present)) return undefined;
    return this.api.update<Lease>(LEASES, this.claim(present));
  }

  private hasExpired(lease: Lease): boolean {
    const text = `${lease.spec?.holderIdentity} ${String(lease.spec?.renewTime)}`;
    const nowMs = this.clock.monotonicMs();
    if (this.observed?.text !== text) this.observed = { text, atMs: nowMs };
    const durationMs = (lease.spec?.leaseDurationSeconds ?? 0) * 1000;
    return nowMs - this.observed.atMs > durationMs;
  }

  private claim(lease: Lease): Lease {
    const now = microTime(this.clock.nowMs());
    const isOwn = lease.spec?.holderIdentity === this.options.identity;
    const transitions = lease.spec?.leaseTransitions ?? 0;
    return {
      ...lease,
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      spec: {
        ...lease.spec,
        holderIdentity: this.options.identity,
        leaseDurationSeconds: Math.max(1, Math.round(this.leaseMs / 1000)),
        acquireTime: isOwn ? lease.spec?.acquireTime : now,
        renewTime: now,
        leaseTransitions: lease.spec === undefined || isOwn ? transitions : transitions + 1,
      },
    };
  }

  /** Renews until that fails for too long or the work ends; gives the Lease back when the election ends. */
  private async holdLease(acquired: Lease, leading: AbortController): Promise<void> {
    let lease = acquired;
    // Stops before the others may take over, even while a renewal hangs.
    let watchdog = this.armWatchdog(leading);
    const untilRenewalMs = (): number => untilNextBeatMs(this.clock.nowMs(), this.leaseMs / 3);
    let pauseMs = untilRenewalMs();
    while (!leading.signal.aborted) {
      await this.clock.sleep(pauseMs, leading.signal);
      if (leading.signal.aborted) break;
      try {
        lease = await this.api.update<Lease>(LEASES, this.claim(lease));
        pauseMs = untilRenewalMs();
        watchdog.cancel();
        watchdog = this.armWatchdog(leading);
      } catch (error) {
        this.log.debug({ error, lease: this.options.name }, 'the lease could not be renewed');
        lease = await this.readOwn(lease, leading);
        pauseMs = this.leaseMs / 12;
      }
    }
    watchdog.cancel();
    if (this.options.signal.aborted) await this.release(lease);
  }

  private armWatchdog(leading: AbortController) {
    return this.clock.setTimer((this.leaseMs * 2) / 3, () => {
      this.log.warn({ lease: this.options.name }, 'the lease could not be renewed in time; no longer the leader');
      leading.abort();
    });
  }

  /** The Lease as it is now, in case that somebody edited it; ends the leadership when another one holds it. */
  private async readOwn(lease: Lease, leading: AbortController): Promise<Lease> {
    try {
      const present = await this.api.get<Lease>(LEASES, this.options.name, NAMESPACE);
      if (present.spec?.holderIdentity !== this.options.identity) leading.abort();
      return present;
    } catch (error) {
      if (isApiError(error, 'NotFound')) leading.abort();
      return lease;
    }
  }

  private async release(lease: Lease): Promise<void> {
    try {
      await this.api.update<Lease>(LEASES, { ...lease, spec: { ...lease.spec, holderIdentity: '' } });
    } catch (error) {
      this.log.debug({ error, lease: this.options.name }, 'the lease could not be released; it will expire');
    }
  }
}

/** Kubernetes' MicroTime: RFC 3339 with six digits. */
function microTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace('Z', '000Z');
}
