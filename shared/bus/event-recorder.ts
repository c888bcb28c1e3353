/**
 * Events about objects, as `kubectl describe` and `kubectl events` show them. The same event again raises the count of the one
 * there is. Recording never holds anything up: it is best effort, as in the original.
 */
import { EVENTS } from '../api/resources.ts';
import { formatTimestamp } from '../api/timestamp.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { ApiClient } from './api-client.ts';

export interface EventSubject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Absent for cluster-scoped objects: their events stand in `default`. */
  readonly namespace?: string;
  readonly uid?: string;
  /** `spec.containers{web}` */
  readonly fieldPath?: string;
}

export type EventType = 'Normal' | 'Warning';

export interface EventSource {
  /** `default-scheduler`, `replicaset-controller` */
  readonly component: string;
  /** The node, where there is one. */
  readonly host?: string;
}

export interface EventRecorderOptions {
  readonly api: ApiClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly source: EventSource;
}

interface Recorded {
  readonly name: string;
  readonly namespace: string;
  /** Resolves once the event exists; further writes wait for it. */
  written: Promise<void>;
  count: number;
}

/** Events remembered for counting; the oldest is forgotten first. */
const MAX_REMEMBERED = 2048;

export class EventRecorder {
  private readonly options: EventRecorderOptions;
  private readonly remembered = new Map<string, Recorded>();
  private sequence = 0;

  constructor(options: EventRecorderOptions) {
    this.options = options;
  }

  record(about: EventSubject, type: EventType, reason: string, message: string): void {
    const key = [about.uid ?? about.name, about.fieldPath ?? '', reason, message].join('\n');
    const before = this.remembered.get(key);
    if (before === undefined) this.create(key, about, type, reason, message);
    else this.repeat(key, before);
  }

  private create(key: string, about: EventSubject, type: EventType, reason: string, message: string): void {
    const { api, clock, source } = this.options;
    const nowMs = clock.nowMs();
    const namespace = about.namespace ?? 'default';
    const name = `${about.name}.${nowMs.toString(16)}${(this.sequence++ & 0xffff).toString(16).padStart(4, '0')}`;
    const time = formatTimestamp(nowMs);
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: about,
      type,
      reason,
      message,
      count: 1,
      firstTimestamp: time,
      lastTimestamp: time,
      source,
      reportingComponent: source.component,
      reportingInstance: source.host ?? '',
    };
    const written = api.create(EVENTS, event, { namespace }).then(() => undefined);
    this.remember(key, { name, namespace, written: this.tolerate(key, written, reason), count: 1 });
  }

  private repeat(key: string, recorded: Recorded): void {
    const { api, clock } = this.options;
    const body = { count: ++recorded.count, lastTimestamp: formatTimestamp(clock.nowMs()) };
    const patched = recorded.written.then(async () => {
      await api.patch(EVENTS, recorded.name, recorded.namespace, { type: 'merge', body });
    });
    recorded.written = this.tolerate(key, patched, 'count');
  }

  /** A failed event is forgotten, so that the next occurrence is written as a new one. */
  private tolerate(key: string, writing: Promise<void>, reason: string): Promise<void> {
    return writing.catch((error: unknown) => {
      this.remembered.delete(key);
      this.options.log.debug({ error, reason }, 'an event could not be recorded');
    });
  }

  private remember(key: string, recorded: Recorded): void {
    const oldest = this.remembered.keys().next();
    if (this.remembered.size >= MAX_REMEMBERED && !oldest.done) this.remembered.delete(oldest.value);
    this.remembered.set(key, recorded);
  }
}
