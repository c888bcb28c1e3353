/** What a pod's phase and conditions say about it (Kubernetes documentation, "Pod Lifecycle"). */
import type { Pod, PodCondition } from 'kubernetes-types/core/v1.js';
import { type Live, timeMs } from './live.ts';

export function podCondition(pod: Pod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find((condition) => condition.type === type);
}

export function isPodReady(pod: Pod): boolean {
  return podCondition(pod, 'Ready')?.status === 'True';
}

/** Succeeded or Failed: its containers will not run again. */
export function isPodFinished(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

export function isTerminating(object: { metadata?: { deletionTimestamp?: string } }): boolean {
  return object.metadata?.deletionTimestamp !== undefined && object.metadata.deletionTimestamp !== null;
}

/** Counts for the controller that made it: neither finished nor being deleted. */
export function isPodActive(pod: Live<Pod>): boolean {
  return !isPodFinished(pod) && !isTerminating(pod);
}

/** Ready for at least `minReadySeconds`. */
export function isPodAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  const ready = podCondition(pod, 'Ready');
  if (ready?.status !== 'True') return false;
  return minReadySeconds === 0 || timeMs(ready.lastTransitionTime) + minReadySeconds * 1000 <= nowMs;
}
