/**
 * What a node knows of one container of one pod: the kubelet's memory between two looks at it.
 *
 *   waiting -> starting -> running -> stopping -> exited -> (back-off) starting ...
 *
 * Records are owned and changed by the pod's worker only; decisions and the status are functions of them.
 */
import type { Container, ContainerState, ContainerStatus, Pod } from 'kubernetes-types/core/v1.d.ts';
import { parseTimestamp } from '../../shared/api/timestamp.ts';
import { type Backoff, NO_BACKOFF } from './restart-backoff.ts';

/**
 * A sidecar is an init container with `restartPolicy: Always`: started in order, then kept running. An ephemeral container
 * is added to a running pod (`kubectl debug`), runs once, and counts for nothing else.
 */
export type ContainerKind = 'init' | 'sidecar' | 'app' | 'ephemeral';

export interface ContainerExit {
  readonly exitCode: number;
  readonly signal?: number;
  /** `Completed`, `Error`, `Unknown`, `StartError`. */
  readonly reason: string;
  readonly message?: string;
  readonly startedAtMs?: number;
  readonly finishedAtMs: number;
  readonly containerId?: string;
}

export interface ContainerRecord {
  readonly name: string;
  readonly kind: ContainerKind;
  readonly spec: Container;
  phase: 'waiting' | 'starting' | 'running' | 'stopping' | 'exited';
  /** Why it waits, as kubectl shows it; overrides the default reason while it is not running. */
  waiting?: { readonly reason: string; readonly message?: string };
  containerId?: string;
  startedAtMs?: number;
  /** How the current instance ended, once it has. */
  exit?: ContainerExit;
  /** How the instance before ended. */
  lastExit?: ContainerExit;
  /** Instances started so far; the restart count is one less. */
  starts: number;
  backoff: Backoff;
  /** Not to be started before (image that could not be found, set-up that failed). */
  retryAtMs: number;
  imageBackoff: Backoff;
  /** The start-up probe has passed (or there is none) and the postStart hook has returned. */
  started: boolean;
  /** The readiness probe holds (or there is none). */
  ready: boolean;
  /** Set when a liveness or start-up probe or a hook demands that the instance ends. */
  condemned?: string;
}

export function restartCount(record: ContainerRecord): number {
  return Math.max(0, record.starts - 1);
}

/** Records for all containers of a pod, in start order: init containers and sidecars first, ephemeral ones last. */
export function createRecords(pod: Pod): ContainerRecord[] {
  const init = (pod.spec?.initContainers ?? []).map((spec) =>
    newRecord(spec, spec.restartPolicy === 'Always' ? 'sidecar' : 'init'),
  );
  const app = (pod.spec?.containers ?? []).map((spec) => newRecord(spec, 'app'));
  return [...init, ...app, ...ephemeralRecords(pod)];
}

/** Of the containers that were added to the pod while it ran. */
export function ephemeralRecords(pod: Pod): ContainerRecord[] {
  return (pod.spec?.ephemeralContainers ?? []).map((spec) => newRecord(spec, 'ephemeral'));
}

/**
 * Records of a pod that this node ran before it lost its memory (the node-agent was killed): as after a reboot,
 * what ran has ended with an unknown result and is started anew; what had ended stays ended.
 */
export function restoreRecords(pod: Pod, nowMs: number): ContainerRecord[] {
  const statuses = new Map(
    [
      ...(pod.status?.initContainerStatuses ?? []),
      ...(pod.status?.containerStatuses ?? []),
      ...(pod.status?.ephemeralContainerStatuses ?? []),
    ].map((s) => [s.name, s]),
  );
  const records = createRecords(pod);
  const goesOn = [...statuses.values()].some((status) => status.state?.running !== undefined);
  const mayRestart = pod.spec?.restartPolicy !== 'Never';
  for (const record of records) {
    const status = statuses.get(record.name);
    if (status !== undefined) restore(record, status, goesOn && mayRestart && record.kind !== 'ephemeral', nowMs);
  }
  return records;
}

function newRecord(spec: Container, kind: ContainerKind): ContainerRecord {
  return {
    name: spec.name,
    kind,
    spec,
    phase: 'waiting',
    starts: 0,
    backoff: NO_BACKOFF,
    retryAtMs: 0,
    imageBackoff: NO_BACKOFF,
    started: false,
    ready: false,
  };
}

/** `anew`: the pod gets a new sandbox, in which its init containers run again before its main ones. */
function restore(record: ContainerRecord, status: ContainerStatus, anew: boolean, nowMs: number): void {
  const exit = exitOf(status.state) ?? lostInstance(status, nowMs);
  record.lastExit = exitOf(status.lastState);
  record.starts = status.restartCount + (exit !== undefined || record.lastExit !== undefined ? 1 : 0);
  if (exit === undefined) return;
  if (anew && (record.kind === 'init' || status.state?.running !== undefined)) record.lastExit = exit;
  else {
    record.phase = 'exited';
    record.exit = exit;
  }
}

/** The end of an instance that nobody saw. */
function lostInstance(status: ContainerStatus, nowMs: number): ContainerExit | undefined {
  const running = status.state?.running;
  if (running === undefined) return undefined;
  return {
    exitCode: 255,
    reason: 'Unknown',
    startedAtMs: timeMs(running.startedAt),
    finishedAtMs: nowMs,
    containerId: status.containerID,
  };
}

function exitOf(state: ContainerState | undefined): ContainerExit | undefined {
  const terminated = state?.terminated;
  if (terminated === undefined) return undefined;
  return {
    exitCode: terminated.exitCode,
    signal: terminated.signal,
    reason: terminated.reason ?? (terminated.exitCode === 0 ? 'Completed' : 'Error'),
    message: terminated.message,
    startedAtMs: timeMs(terminated.startedAt),
    finishedAtMs: timeMs(terminated.finishedAt) ?? 0,
    containerId: terminated.containerID,
  };
}

/** Objects hold `null` where a time was never set. */
function timeMs(text: string | undefined | null): number | undefined {
  return text ? parseTimestamp(text) : undefined;
}
