/**
 * What `kubectl describe` shows at a controller of the pods that it made and removed, in the original's words. Of many alike only
 * the first are told, as the original's recorder lets no object fill the store with its events.
 */
import type { EventRecorder } from '../../shared/bus/event-recorder.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { EventSubject } from './action.ts';

type PodVerb = 'create' | 'delete';

/** So many events of one reason about one object in so long. */
const MAX_ALIKE = 10;
const WINDOW_MS = 600_000;
const MAX_REMEMBERED = 4096;

export class PodEvents {
  private readonly events: Pick<EventRecorder, 'record'>;
  private readonly clock: Pick<Clock, 'nowMs'>;
  private readonly told = new Map<string, { sinceMs: number; count: number }>();

  constructor(events: Pick<EventRecorder, 'record'>, clock: Pick<Clock, 'nowMs'>) {
    this.events = events;
    this.clock = clock;
  }

  succeeded(owner: EventSubject, verb: PodVerb, pod: string): void {
    const reason = verb === 'create' ? 'SuccessfulCreate' : 'SuccessfulDelete';
    if (!this.mayTell(owner, reason)) return;
    const text = verb === 'create' ? `Created pod: ${pod}` : `Deleted pod: ${pod}`;
    const isNamed = owner.kind === 'StatefulSet';
    const message = isNamed ? `${verb} Pod ${pod} in StatefulSet ${owner.name} successful` : text;
    this.events.record(owner, 'Normal', reason, message);
  }

  failed(owner: EventSubject, verb: PodVerb, pod: string, error: string): void {
    const reason = verb === 'create' ? 'FailedCreate' : 'FailedDelete';
    if (!this.mayTell(owner, reason)) return;
    const text = verb === 'create' ? `Error creating: ${error}` : `Error deleting: ${error}`;
    const isNamed = owner.kind === 'StatefulSet';
    const message = isNamed ? `${verb} Pod ${pod} in StatefulSet ${owner.name} failed error: ${error}` : text;
    this.events.record(owner, 'Warning', reason, message);
  }

  private mayTell({ uid }: EventSubject, reason: string): boolean {
    const key = `${uid} ${reason}`;
    const nowMs = this.clock.nowMs();
    const known = this.told.get(key);
    const isOld = known === undefined || nowMs - known.sinceMs > WINDOW_MS;
    const told = isOld ? { sinceMs: nowMs, count: 0 } : known;
    if (isOld && this.told.size >= MAX_REMEMBERED) this.told.clear();
    this.told.set(key, told);
    return ++told.count <= MAX_ALIKE;
  }
}
