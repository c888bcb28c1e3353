import type { Pod } from 'kubernetes-types/core/v1.js';
import type {
  PodDisruptionBudget,
  PodDisruptionBudgetSpec,
  PodDisruptionBudgetStatus,
} from 'kubernetes-types/policy/v1.js';
import { describe, expect, it } from 'vitest';
import type { Live } from '../../../../shared/api/live.ts';
import { controllerOf } from '../../../../shared/api/object.ts';
import { at, meta, NOW_MS, pod, replicaSet, summary } from '../../objects.testkit.ts';
import { reconcileDisruptionBudget } from './disruption-budget.ts';

const owner = replicaSet(4);

function budget(spec: PodDisruptionBudgetSpec, status?: PodDisruptionBudgetStatus): Live<PodDisruptionBudget> {
  return { metadata: meta('web'), spec: { selector: { matchLabels: { app: 'web' } }, ...spec }, status };
}

function pods(ready: number, unready = 0): Live<Pod>[] {
  return Array.from({ length: ready + unready }, (_, i) => pod(`web-${i}`, { owner, ready: i < ready }));
}

function outcome(subject: Live<PodDisruptionBudget>, all: readonly Live<Pod>[], nowMs = NOW_MS) {
  const scaleOf = (one: Live<Pod>) =>
    controllerOf(one)?.uid === owner.metadata.uid ? { uid: owner.metadata.uid, replicas: 4 } : undefined;
  return reconcileDisruptionBudget({ budget: subject, pods: all, scaleOf }, nowMs);
}

function statusAfter(subject: Live<PodDisruptionBudget>, all: readonly Live<Pod>[], nowMs = NOW_MS) {
  const update = outcome(subject, all, nowMs).actions.find(({ kind }) => kind === 'update-status');
  return update?.kind === 'update-status' ? ((update.object as PodDisruptionBudget).status ?? undefined) : undefined;
}

describe('PodDisruptionBudget', () => {
  it.each([
    ['minAvailable, a number', { minAvailable: 3 }, pods(4), [4, 3, 1, 4]],
    ['as many as there are, for a number', { minAvailable: 3 }, pods(2), [2, 3, 0, 2]],
    ['minAvailable, a percentage of what is wanted, rounded up', { minAvailable: '60%' }, pods(4), [4, 3, 1, 4]],
    ['maxUnavailable of what is wanted', { maxUnavailable: 1 }, pods(3), [3, 3, 0, 4]],
    ['maxUnavailable, a percentage rounded up', { maxUnavailable: '30%' }, pods(4), [4, 2, 2, 4]],
    ['pods that are not ready are not healthy', { minAvailable: 2 }, pods(2, 2), [2, 2, 0, 4]],
    [
      'nor are those on their way out',
      { minAvailable: 1 },
      [...pods(1), pod('x', { owner, terminating: true })],
      [1, 1, 0, 2],
    ],
    [
      'those that have ended do not count',
      { minAvailable: 1 },
      [...pods(2), pod('x', { phase: 'Succeeded' })],
      [2, 1, 1, 2],
    ],
    ['others do not count', { minAvailable: 1 }, [...pods(2), pod('x', { labels: { app: 'other' } })], [2, 1, 1, 2]],
    ['no pods, no disruptions', { minAvailable: 0 }, [], [0, 0, 0, 0]],
  ])('%s', (_, spec, all, [currentHealthy, desiredHealthy, disruptionsAllowed, expectedPods]) => {
    expect(statusAfter(budget(spec), all)).toMatchObject({
      currentHealthy,
      desiredHealthy,
      disruptionsAllowed,
      expectedPods,
      observedGeneration: 1,
    });
  });

  it('says in a condition whether there is room', () => {
    expect(statusAfter(budget({ minAvailable: 1 }), pods(2))?.conditions).toMatchObject([
      { type: 'DisruptionAllowed', status: 'True', reason: 'SufficientPods', lastTransitionTime: at(0) },
    ]);
    expect(statusAfter(budget({ minAvailable: 2 }), pods(2))?.conditions).toMatchObject([
      { type: 'DisruptionAllowed', status: 'False', reason: 'InsufficientPods' },
    ]);
  });

  it('does nothing when the status is true', () => {
    const status = statusAfter(budget({ minAvailable: 1 }), pods(2));
    expect(outcome(budget({ minAvailable: 1 }, status), pods(2)).actions).toEqual([]);
  });

  const evicted = (seconds: number): PodDisruptionBudgetStatus => ({
    currentHealthy: 2,
    desiredHealthy: 1,
    disruptionsAllowed: 0,
    expectedPods: 2,
    disruptedPods: { 'web-0': at(seconds) },
  });

  it('counts an evicted pod as gone before its deletion is seen', () => {
    const subject = budget({ minAvailable: 1 }, evicted(-10));
    expect(statusAfter(subject, pods(2))).toMatchObject({ currentHealthy: 1, disruptedPods: { 'web-0': at(-10) } });
    expect(outcome(subject, pods(2)).requeueAfterMs).toBe(110_000);
  });

  it('gives up on an eviction after two minutes, and says so', () => {
    const subject = budget({ minAvailable: 1 }, evicted(-121));
    expect(summary(outcome(subject, pods(2)).actions)).toEqual([
      'event NotDeleted',
      'update-status poddisruptionbudgets web',
    ]);
    const status = statusAfter(subject, pods(2));
    expect(status).toMatchObject({ currentHealthy: 2, disruptionsAllowed: 1 });
    expect(status?.disruptedPods).toBeUndefined();
  });

  it('forgets an evicted pod that is gone or going', () => {
    const all = [pod('web-0', { owner, terminating: true }), pod('web-1', { owner })];
    expect(statusAfter(budget({ minAvailable: 1 }, evicted(-10)), all)?.disruptedPods).toBeUndefined();
  });

  it('complains of pods without a controller where it must know their number', () => {
    expect(summary(outcome(budget({ maxUnavailable: 1 }), [pod('alone')]).actions)).toContain('event UnmanagedPods');
    expect(summary(outcome(budget({ minAvailable: 1 }), [pod('alone')]).actions)).not.toContain('event UnmanagedPods');
  });
});
