/** A process that works only while it leads, and ends once it does not: what is under way was decided as the leader. */
import { hostname } from 'node:os';
import type { ProcessContext } from '../runtime/process.ts';
import type { ApiClient } from './api-client.ts';
import { runAsLeader } from './leader-election.ts';

export interface LeadingProcess {
  /** The Lease: `kube-scheduler`. */
  readonly lease: string;
  /** Its API client; leases are renewed with it. */
  readonly api: ApiClient;
  /** Called once the Lease is won; when it rejects, the process ends. `signal` is aborted when the Lease is lost. */
  onStarted(signal: AbortSignal): void | Promise<void>;
}

/** Begins the election and returns; it ends with the process. */
export function leadProcess(
  { name, clock, log, shutdown }: Pick<ProcessContext, 'name' | 'clock' | 'log' | 'shutdown'>,
  leading: LeadingProcess,
): void {
  const election = runAsLeader(leading.api, {
    name: leading.lease,
    // The same after a restart, so that a killed leader's successor need not wait for the Lease to run out.
    identity: `${name}_${hostname()}`,
    clock,
    log,
    signal: shutdown.signal,
    async onStarted(signal) {
      signal.addEventListener('abort', () => {
        // Another one may be at work already.
        if (!shutdown.signal.aborted) process.exit(1);
      });
      await leading.onStarted(signal);
    },
  });
  election.catch((error: unknown) => {
    log.fatal({ error }, `the ${name} could not be started`);
    process.exit(1);
  });
  shutdown.onStop('election', () => election);
}
