/** Changes are gathered, then synced once, bounded in frequency; now and then the node is asked whether it still stands there. */

import { BoundedRunner } from '../../shared/runtime/bounded-runner.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Logger } from '../../shared/runtime/log.ts';
import type { IpFamily } from '../../shared/wire/ip-address.ts';
import { ipv6Table } from '../../shared/wire/ipv6-table.ts';
import type { ProxyConfiguration } from './configuration.ts';
import type { HealthCheckPorts } from './health-check-ports.ts';
import type { Proxier } from './modes/proxier.ts';
import type { ProxyMetrics } from './proxy-metrics.ts';
import type { ServiceChanges } from './service-changes.ts';

export interface ProxyLoopOptions {
  readonly changes: ServiceChanges;
  readonly proxier: Proxier;
  readonly family: IpFamily;
  readonly configuration: ProxyConfiguration;
  readonly metrics: ProxyMetrics;
  /** Of the family that serves them. */
  readonly healthChecks?: HealthCheckPorts;
  readonly clock: Clock;
  readonly log: Logger;
}

const RETRY_MS = 200;

export class ProxyLoop {
  private readonly options: ProxyLoopOptions;
  private readonly runner: BoundedRunner;
  private requested = false;
  /** The first sync that was applied. */
  readonly firstSync: Promise<void>;
  private readonly resolveFirstSync: () => void;
  lastSyncedMs = 0;

  constructor(options: ProxyLoopOptions) {
    this.options = options;
    const { clock, configuration } = options;
    this.runner = new BoundedRunner({
      clock,
      run: () => this.sync(),
      minIntervalMs: configuration.minSyncPeriodMs,
      maxIntervalMs: configuration.syncPeriodMs,
      retryMs: RETRY_MS,
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.firstSync = promise;
    this.resolveFirstSync = resolve;
  }

  request(): void {
    this.requested = true;
    this.runner.request();
  }

  stop(): void {
    this.runner.stop();
  }

  private async sync(): Promise<boolean> {
    const { changes, proxier, family, metrics, clock, log } = this.options;
    const startedMs = clock.monotonicMs();
    // A run that nobody asked for is the periodic one: it looks whether the node still has the rules.
    const verify = !this.requested;
    this.requested = false;
    // Here no address is on its way: all that are needed are with the proxiers.
    if (ipv6Table.isCrowded) ipv6Table.sweep();
    for (const service of changes.take()) {
      proxier.update(service);
      this.options.healthChecks?.update(service);
    }
    try {
      const result = await proxier.sync(verify);
      if (!result.applied) {
        metrics.failed();
        return false;
      }
      metrics.synced(family, result, clock.monotonicMs() - startedMs, changes.takeChangeTimes(), clock.nowMs());
      log.debug({ family, ...result, durationMs: clock.monotonicMs() - startedMs }, 'rules synced');
      this.lastSyncedMs = clock.nowMs();
      this.resolveFirstSync();
      return true;
    } catch (error) {
      metrics.failed();
      log.warn({ family, error }, 'the node did not take the rules; trying again');
      return false;
    }
  }
}
