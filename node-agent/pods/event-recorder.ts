/**
 * The node's Events, as `kubectl describe` and `kubectl events` show them. The same event again raises the count of the
 * one there is. Recording never holds anything up: it is best effort, as in the original.
 */
import { EVENTS } from '../../shared/api/resources.ts';
import type { ApiClient } from '../../shared/bus/api-client.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Logger } from '../../shared/runtime/log.ts';
import { formatTime } from './pod-status.ts';

export interface EventSubject {
  readonly kind: string;
  readonly apiVersion: string;
  readonly namespace?: string;
  readonly name: string;
  readonly uid?: string;
  /** `spec.containers{web}` */
  readonly fieldPath?: string;
}

export type EventType = 'Normal' | 'Warning';

interface Recorded {
  readonly name: string;
  readonly namespace: string;
  count: number;
}

/** Events remembered for counting; the oldest is forgotten first. */
const MAX_REMEMBERED = 2048;

export class EventRecorder {
  private readonly api: ApiClient;
  private readonly clock: Clock;
  private readonly log: Logger;
  private readonly source: { readonly component: string; readonly host: string };
  private readonly remembered = new Map<string, Recorded>();
  private sequence = 0;

  constructor(api: ApiClient, clock: Clock, log: Logger, source: { component: string; host: string }) {
    this.api = api;
    this.clock = clock;
    this.log = log;
    this.source = source;
  }

  record(subject: EventSubject, type: EventType, reason: string, message: string): void {
    const key = [subject.uid ?? subject.name, subject.fieldPath ?? '', reason, message].join('\n');
    const before = this.remembered.get(key);
    const writing = before === undefined ? this.create(key, subject, type, reason, message) : this.repeat(before);
    writing.catch((error: unknown) => this.log.debug({ error, reason }, 'an event could not be recorded'));
  }

  private async create(
    key: string,
    subject: EventSubject,
    type: EventType,
    reason: string,
    message: string,
  ): Promise<void> {
    const nowMs = this.clock.nowMs();
    const namespace = subject.namespace ?? 'default';
    const name = `${subject.name}.${nowMs.toString(16)}${(this.sequence++ & 0xffff).toString(16).padStart(4, '0')}`;
    this.remember(key, { name, namespace, count: 1 });
    const time = formatTime(nowMs);
    await this.api.create(
      EVENTS,
      {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name, namespace },
        involvedObject: { ...subject },
        type,
        reason,
        message,
        count: 1,
        firstTimestamp: time,
        lastTimestamp: time,
        source: this.source,
        reportingComponent: this.source.component,
        reportingInstance: this.source.host,
      },
      { namespace },
    );
  }

  private async repeat(recorded: Recorded): Promise<void> {
    recorded.count++;
    const body = { count: recorded.count, lastTimestamp: formatTime(this.clock.nowMs()) };
    await this.api.patch(EVENTS, recorded.name, recorded.namespace, { type: 'merge', body });
  }

  private remember(key: string, recorded: Recorded): void {
    const oldest = this.remembered.keys().next();
    if (this.remembered.size >= MAX_REMEMBERED && !oldest.done) this.remembered.delete(oldest.value);
    this.remembered.set(key, recorded);
  }
}
