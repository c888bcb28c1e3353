/**
 * Failures of an Indexed Job's indexes, each with a limit and a pause of its own (`backoffLimitPerIndex`; Kubernetes documentation,
 * "Backoff limit per index"). A pod carries how often its index had failed before, so that pods may be removed meanwhile.
 */
import type { Job } from 'kubernetes-types/batch/v1.js';
import type { Pod } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../../shared/api/live.ts';
import { completionIndexOf, parseIndexes } from './completion-index.ts';
import { failureVerdict } from './pod-failure-policy.ts';

export const FAILURE_COUNT = 'batch.kubernetes.io/job-index-failure-count';

export interface IndexFailures {
  /** Given up. */
  readonly failed: ReadonlySet<number>;
  /** Failures so far; 0 for others. */
  countOf(index: number): number;
  /** The last failure, in milliseconds since 1970; 0 for none. */
  lastMsOf(index: number): number;
}

interface IndexHistory {
  count: number;
  lastMs: number;
}

/** undefined for a Job that has no limit per index. */
export function indexFailures(
  job: Live<Job>,
  owned: readonly Live<Pod>[],
  finishedMs: (pod: Live<Pod>) => number,
): IndexFailures | undefined {
  const { backoffLimitPerIndex, completions = 0 } = job.spec;
  if (backoffLimitPerIndex === undefined || backoffLimitPerIndex === null) return undefined;
  const failed = parseIndexes(job.status?.failedIndexes, completions);
  const histories = new Map<number, IndexHistory>();
  for (const pod of owned) {
    const index = completionIndexOf(pod);
    if (index === undefined || index >= completions) continue;
    const history = histories.get(index) ?? { count: 0, lastMs: 0 };
    histories.set(index, history);
    const before = Number(pod.metadata.annotations?.[FAILURE_COUNT] ?? 0);
    const hasFailed = pod.status?.phase === 'Failed';
    const { action } = hasFailed ? failureVerdict(job.spec, pod) : { action: 'Ignore' };
    history.count = Math.max(history.count, before + (action === 'Ignore' ? 0 : 1));
    if (hasFailed) history.lastMs = Math.max(history.lastMs, finishedMs(pod));
    if (action === 'FailIndex' || history.count > backoffLimitPerIndex) failed.add(index);
  }
  return {
    failed,
    countOf: (index) => histories.get(index)?.count ?? 0,
    lastMsOf: (index) => histories.get(index)?.lastMs ?? 0,
  };
}
