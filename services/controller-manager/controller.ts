/**
 * The loop that all controllers share:
 *
 *   informers -> keys -> work queue -> gather(key) -> reconcile(state, now) -> actions -> apiserver
 *
 * A key is worked on by one worker at a time, and not before the informers have shown what it wrote last.
 */
import { isApiError } from '../../shared/api/status.ts';
import type { ApiClient } from '../../shared/bus/api-client.ts';
import { EventRecorder } from '../../shared/bus/event-recorder.ts';
import type { Informer } from '../../shared/bus/informer.ts';
import { WorkQueue } from '../../shared/bus/work-queue.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Logger } from '../../shared/runtime/log.ts';
import type { Outcome } from './action.ts';
import { applyActions } from './apply.ts';
import { Expectations } from './expectations.ts';
import type { Informers } from './informers.ts';
import { PodEvents } from './pod-events.ts';

/** Where keys come from. */
export interface KeySource {
  subscribe(enqueue: (key: string) => void): void;
}

export interface Controller<State> {
  /** `replicaset-controller`: the source of its events and the name in its log lines. */
  readonly name: string;
  readonly sources: readonly KeySource[];
  /** Keys worked on at the same time; 4 by default. */
  readonly concurrency?: number;
  /** Waits so long for further changes before it looks; 0 by default. */
  readonly gatherMs?: number;
  /** The state behind a key; undefined when there is nothing to do for it. `failure`: why the last round's writes failed. */
  gather(key: string, failure: string | undefined): State | undefined | Promise<State | undefined>;
  reconcile(state: State, nowMs: number): Outcome;
}

export interface ControllerEnvironment {
  readonly api: ApiClient;
  /** For events, which wait behind the work. */
  readonly eventApi: ApiClient;
  readonly informers: Informers;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A loop without its state's type. */
export interface ControllerLoop {
  readonly name: string;
  start(): void;
  stop(): void;
}

/** Every object of the informer leads to the keys that the function names, in its old and its new state. */
export function keysFrom<T>(informer: Informer<T>, keysOf: (object: T) => readonly string[]): KeySource {
  return {
    subscribe(enqueue) {
      const all = (object: T): void => keysOf(object).forEach(enqueue);
      informer.subscribe({
        added: all,
        updated(object, old) {
          all(object);
          all(old);
        },
        deleted: all,
      });
    },
  };
}

interface Named {
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** `namespace/name`; an empty namespace for cluster-scoped objects. */
export function keyOf({ metadata: { namespace = '', name } }: Named): string {
  return `${namespace}/${name}`;
}

/** The namespace and name of a key. */
export function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** How soon a key is looked at again while its own writes have not been seen; their events usually come first. */
const UNSEEN_RECHECK_MS = 20;
const FIRST_CONFLICT_PAUSE_MS = 5;
const MAX_CONFLICT_DOUBLINGS = 8;

export function createLoop<State>(controller: Controller<State>, environment: ControllerEnvironment): ControllerLoop {
  return new Loop(controller, environment);
}

class Loop<State> implements ControllerLoop {
  readonly name: string;
  private readonly controller: Controller<State>;
  private readonly environment: ControllerEnvironment;
  private readonly log: Logger;
  private readonly events: EventRecorder;
  private readonly podEvents: PodEvents;
  private readonly expectations: Expectations;
  private readonly queue: WorkQueue<string>;
  private readonly conflicts = new Map<string, number>();
  private readonly failures = new Map<string, string>();

  constructor(controller: Controller<State>, environment: ControllerEnvironment) {
    const { eventApi, clock, informers } = environment;
    this.name = controller.name;
    this.controller = controller;
    this.environment = environment;
    this.log = environment.log.child({ controller: controller.name });
    this.events = new EventRecorder({ api: eventApi, clock, log: this.log, source: { component: controller.name } });
    this.podEvents = new PodEvents(this.events, clock);
    this.expectations = new Expectations(informers, clock);
    this.queue = new WorkQueue<string>({
      clock,
      log: this.log,
      concurrency: controller.concurrency ?? 4,
      gatherMs: controller.gatherMs ?? 0,
      process: (key) => this.work(key),
    });
  }

  start(): void {
    for (const source of this.controller.sources) source.subscribe((key) => this.queue.add(key));
  }

  stop(): void {
    this.queue.stop();
  }

  private async work(key: string): Promise<void> {
    if (!this.expectations.met(key)) {
      this.queue.addAfter(key, UNSEEN_RECHECK_MS);
      return;
    }
    const state = await this.controller.gather(key, this.failures.get(key));
    if (state === undefined) {
      this.failures.delete(key);
      return;
    }
    const { actions, requeueAfterMs } = this.controller.reconcile(state, this.environment.clock.nowMs());
    await this.apply(key, actions);
    if (requeueAfterMs !== undefined) this.queue.addAfter(key, requeueAfterMs);
  }

  private async apply(key: string, actions: Outcome['actions']): Promise<void> {
    const { api } = this.environment;
    try {
      const { events, podEvents, expectations } = this;
      await applyActions(actions, { api, events, podEvents, expectations, key });
      this.conflicts.delete(key);
      this.failures.delete(key);
    } catch (error) {
      // The namespace goes, and its content with it: there is nothing to try again.
      if (isNamespaceGoing(error)) return;
      if (!isStale(error)) {
        this.failures.set(key, error instanceof Error ? error.message : String(error));
        throw error;
      }
      // Somebody else was faster; what they did is on its way here.
      const count = this.conflicts.get(key) ?? 0;
      this.conflicts.set(key, Math.min(count + 1, MAX_CONFLICT_DOUBLINGS));
      this.log.debug({ error, key }, 'decided on an older state; will look again');
      this.queue.addAfter(key, FIRST_CONFLICT_PAUSE_MS * 2 ** count);
    }
  }
}

function isStale(error: unknown): boolean {
  return isApiError(error, 'Conflict') || isApiError(error, 'AlreadyExists') || isApiError(error, 'NotFound');
}

function isNamespaceGoing(error: unknown): boolean {
  if (!isApiError(error, 'Forbidden')) return false;
  return error.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') ?? false;
}
