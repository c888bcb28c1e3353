/**
 * The kubelet's decision: a pod's specification and what is known of its containers -> what to do next.
 *
 *   admitted -> sandbox (network, files) -> init containers one after the other, sidecars among them
 *            -> app containers together -> ... -> app containers ended -> sidecars in reverse -> sandbox removed
 *
 * A pure function of its arguments; the pod's worker performs the actions and asks again on every event.
 * https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
 */
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { ContainerRecord } from './container-record.ts';
import { type BackoffTimings, goDuration, KUBELET_BACKOFF, nextAttemptAtMs } from './restart-backoff.ts';

export type PodAction =
  | { readonly kind: 'create-sandbox' }
  | { readonly kind: 'start'; readonly container: string }
  /** The container must wait until `untilMs`; the worker shows `CrashLoopBackOff` and asks again then. */
  | { readonly kind: 'back-off'; readonly container: string; readonly untilMs: number; readonly message: string }
  | { readonly kind: 'stop'; readonly container: string; readonly reason: string }
  | { readonly kind: 'destroy-sandbox' }
  /** Nothing of the pod is left on the node: a terminating pod's object can go. */
  | { readonly kind: 'finalise' };

export interface PodView {
  readonly pod: Pod;
  readonly records: readonly ContainerRecord[];
  readonly sandbox: 'none' | 'creating' | 'ready' | 'destroying';
  /** The sandbox could not be made; not to be tried again before. */
  readonly sandboxRetryAtMs: number;
  /** The pod's object has a deletionTimestamp, or is gone. */
  readonly terminating: boolean;
  readonly nowMs: number;
  readonly backoff?: BackoffTimings;
}

/** What to do now. An empty list means: wait for an event, or for `wakeAtMs(view)`. */
export function decidePod(view: PodView): PodAction[] {
  if (view.terminating) return windDown(view, 'Killing', true);
  if (hasEnded(view)) return windDown(view, 'Completed', false);
  if (view.sandbox === 'none') return view.nowMs >= view.sandboxRetryAtMs ? [{ kind: 'create-sandbox' }] : [];
  if (view.sandbox !== 'ready') return [];
  return runContainers(view);
}

/** The earliest time at which asking again may give another answer; Infinity when only events can. */
export function wakeAtMs(view: PodView): number {
  let wake = Number.POSITIVE_INFINITY;
  if (!view.terminating && view.sandbox === 'none' && view.sandboxRetryAtMs > view.nowMs) wake = view.sandboxRetryAtMs;
  if (view.terminating || view.sandbox !== 'ready') return wake;
  for (const record of view.records) {
    if (record.phase !== 'waiting' && record.phase !== 'exited') continue;
    const attemptAtMs = startableAtMs(record, view);
    if (attemptAtMs > view.nowMs) wake = Math.min(wake, attemptAtMs);
  }
  return wake;
}

/** True once no container will run (again): the phase is Succeeded or Failed. */
export function hasEnded(view: Pick<PodView, 'pod' | 'records'>): boolean {
  const policy = view.pod.spec?.restartPolicy ?? 'Always';
  if (view.pod.status?.phase === 'Succeeded' || view.pod.status?.phase === 'Failed') return true;
  const init = view.records.filter((record) => record.kind === 'init');
  if (init.some((record) => record.exit !== undefined && record.exit.exitCode !== 0 && policy === 'Never')) return true;
  const app = view.records.filter((record) => record.kind === 'app');
  return app.length > 0 && app.every((record) => record.phase === 'exited' && !restarts(record, policy));
}

function runContainers(view: PodView): PodAction[] {
  const actions: PodAction[] = [];
  for (const record of view.records) {
    if (record.condemned !== undefined && record.phase === 'running') {
      actions.push({ kind: 'stop', container: record.name, reason: record.condemned });
    }
  }
  for (const record of view.records) {
    if (record.kind === 'ephemeral') actions.push(...startIfIdle(record, view));
  }
  for (const record of view.records) {
    if (record.kind === 'app' || record.kind === 'ephemeral') continue;
    if (record.kind === 'init' && succeeded(record)) continue;
    // Once a main container has begun, initialisation is over: init containers are not looked at again.
    if (record.kind === 'init' && appBegan(view)) continue;
    actions.push(...startIfIdle(record, view));
    if (record.kind === 'init' || !(record.phase === 'running' && record.started)) {
      if (!appBegan(view)) return actions;
    }
  }
  for (const record of view.records) {
    if (record.kind === 'app') actions.push(...startIfIdle(record, view));
  }
  return actions;
}

function startIfIdle(record: ContainerRecord, view: PodView): PodAction[] {
  if (record.phase !== 'waiting' && record.phase !== 'exited') return [];
  if (record.phase === 'exited' && !restarts(record, view.pod.spec?.restartPolicy ?? 'Always')) return [];
  const untilMs = startableAtMs(record, view);
  if (untilMs <= view.nowMs) return [{ kind: 'start', container: record.name }];
  if (record.phase === 'waiting') return [];
  const delay = goDuration(untilMs - (record.exit?.finishedAtMs ?? view.nowMs));
  const where = `${view.pod.metadata?.name}_${view.pod.metadata?.namespace}(${view.pod.metadata?.uid})`;
  const message = `back-off ${delay} restarting failed container=${record.name} pod=${where}`;
  return [{ kind: 'back-off', container: record.name, untilMs, message }];
}

function startableAtMs(record: ContainerRecord, view: PodView): number {
  if (record.phase !== 'exited' || record.exit === undefined) return record.retryAtMs;
  const crashAtMs = nextAttemptAtMs(record.backoff, record.exit.finishedAtMs, view.backoff ?? KUBELET_BACKOFF);
  return Math.max(record.retryAtMs, crashAtMs);
}

function restarts(record: ContainerRecord, podPolicy: string): boolean {
  if (record.kind === 'sidecar') return true;
  if (record.kind === 'ephemeral') return false;
  const failed = record.exit === undefined || record.exit.exitCode !== 0;
  if (record.kind === 'init') return failed && podPolicy !== 'Never';
  return podPolicy === 'Always' || (podPolicy === 'OnFailure' && failed);
}

function succeeded(record: ContainerRecord): boolean {
  return record.phase === 'exited' && record.exit?.exitCode === 0;
}

function appBegan(view: PodView): boolean {
  return view.records.some((record) => record.kind === 'app' && record.starts > 0 && record.phase !== 'waiting');
}

/** Main containers first, then sidecars in reverse order, then the sandbox. */
function windDown(view: PodView, reason: string, finalise: boolean): PodAction[] {
  if (view.sandbox === 'creating' || view.sandbox === 'destroying') return [];
  const active = view.records.filter(isActive);
  const apps = active.filter((record) => record.kind !== 'sidecar');
  const lastSidecar = active.at(-1);
  const next = apps.length > 0 || lastSidecar === undefined ? apps : [lastSidecar];
  if (next.length > 0) {
    return next
      .filter((record) => record.phase === 'running')
      .map((record) => ({ kind: 'stop', container: record.name, reason }));
  }
  if (view.sandbox === 'ready') return [{ kind: 'destroy-sandbox' }];
  return finalise ? [{ kind: 'finalise' }] : [];
}

function isActive(record: ContainerRecord): boolean {
  return record.phase === 'starting' || record.phase === 'running' || record.phase === 'stopping';
}
