/** The cluster's API as a plugin has it that keeps objects there. */
import type { ApiClient } from '../../shared/bus/api-client.ts';
import type { Bus } from '../../shared/bus/connection.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Logger } from '../../shared/runtime/log.ts';

export interface ClusterAccess {
  readonly bus: Bus;
  readonly api: ApiClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** Runs a call as a turn of the event loop. */
  readonly inTurn: (call: () => void) => void;
  readonly onStop: (name: string, stop: () => void) => void;
}
