/** Tables of pods. The STATUS column condenses phase, conditions and container states into one word. */
import type { Container, ContainerState, ContainerStatus, Pod, PodTemplate } from 'kubernetes-types/core/v1.js';
import { humanDuration } from '../duration.ts';
import { parseTimestamp } from '../timestamp.ts';
import { ageText, containerImages, containerNames, labelsText, NONE } from './cell-text.ts';
import { AGE_COLUMN, type Cell, NAME_COLUMN, type Printer, text, wide } from './printer.ts';

export const POD_PRINTER: Printer<Pod> = {
  columns: [
    NAME_COLUMN,
    text('Ready'),
    text('Status'),
    text('Restarts'),
    AGE_COLUMN,
    wide('IP'),
    wide('Node'),
    wide('Nominated Node'),
    wide('Readiness Gates'),
  ],
  cells(pod, nowMs): Cell[] {
    const summary = summarizePod(pod);
    const { spec, status, metadata } = pod;
    return [
      metadata?.name ?? '',
      `${summary.readyContainers}/${summary.totalContainers}`,
      summary.status,
      restartsText(summary, nowMs),
      ageText(metadata?.creationTimestamp, nowMs),
      status?.podIPs?.[0]?.ip || status?.podIP || NONE,
      spec?.nodeName || NONE,
      status?.nominatedNodeName || NONE,
      readinessGatesText(pod),
    ];
  },
};

export const POD_TEMPLATE_PRINTER: Printer<PodTemplate> = {
  columns: [NAME_COLUMN, text('Containers'), text('Images'), text('Pod Labels')],
  cells({ metadata, template }): Cell[] {
    const containers = template?.spec?.containers;
    return [
      metadata?.name ?? '',
      containerNames(containers),
      containerImages(containers),
      labelsText(template?.metadata?.labels),
    ];
  },
};

export interface PodSummary {
  /** `Running`, `CrashLoopBackOff`, `Init:0/1`, `Terminating`, ... */
  readonly status: string;
  readonly readyContainers: number;
  readonly totalContainers: number;
  readonly restarts: number;
  /** When the container that restarted last had ended. */
  readonly lastRestartMs: number | undefined;
}

/** What `kubectl get pods` says of a pod. */
export function summarizePod(pod: Pod): PodSummary {
  const tally = new Tally();
  const initStatus = initializationStatus(pod, tally);
  let status = initStatus ?? basicStatus(pod);
  if (initStatus === undefined || hasCondition(pod, 'Initialized')) {
    tally.keepSidecarsOnly();
    status = containersStatus(pod, status, tally);
  }
  return {
    status: deletionStatus(pod, status),
    readyContainers: tally.ready,
    totalContainers: (pod.spec?.containers?.length ?? 0) + (pod.spec?.initContainers ?? []).filter(isSidecar).length,
    restarts: tally.restarts,
    lastRestartMs: tally.lastRestartMs,
  };
}

class Tally {
  ready = 0;
  restarts = 0;
  lastRestartMs: number | undefined = undefined;
  private sidecarRestarts = 0;
  private sidecarLastRestartMs: number | undefined = undefined;

  count(status: ContainerStatus, sidecar: boolean): void {
    const endedMs = finishedMs(status.lastState);
    this.restarts += status.restartCount;
    this.lastRestartMs = later(this.lastRestartMs, endedMs);
    if (!sidecar) return;
    this.sidecarRestarts += status.restartCount;
    this.sidecarLastRestartMs = later(this.sidecarLastRestartMs, endedMs);
  }

  /** Restarts of init containers that are over no longer count. */
  keepSidecarsOnly(): void {
    this.restarts = this.sidecarRestarts;
    this.lastRestartMs = this.sidecarLastRestartMs;
  }
}

function finishedMs(state: ContainerState | undefined): number | undefined {
  const finishedAt = state?.terminated?.finishedAt;
  return finishedAt === undefined ? undefined : parseTimestamp(finishedAt);
}

function later(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.max(a, b);
}

function basicStatus({ status }: Pod): string {
  const gated = status?.conditions?.some(({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated');
  if (gated) return 'SchedulingGated';
  return status?.reason || status?.phase || '';
}

/** A restartable init container runs beside the others for all of the pod's life. */
function isSidecar(container: Container & { readonly restartPolicy?: string }): boolean {
  return container.restartPolicy === 'Always';
}

/** Undefined once every init container is through. */
function initializationStatus(pod: Pod, tally: Tally): string | undefined {
  const containers = pod.spec?.initContainers ?? [];
  const sidecars = new Set(containers.filter(isSidecar).map(({ name }) => name));
  for (const [i, status] of (pod.status?.initContainerStatuses ?? []).entries()) {
    const sidecar = sidecars.has(status.name);
    tally.count(status, sidecar);
    const { terminated, waiting } = status.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (sidecar && status.started) {
      if (status.ready) tally.ready++;
      continue;
    }
    if (terminated !== undefined) return `Init:${terminated.reason || exitText(terminated)}`;
    if (waiting?.reason && waiting.reason !== 'PodInitializing') return `Init:${waiting.reason}`;
    return `Init:${i}/${containers.length}`;
  }
  return undefined;
}

function exitText({ signal, exitCode }: { readonly signal?: number; readonly exitCode: number }): string {
  return signal ? `Signal:${signal}` : `ExitCode:${exitCode}`;
}

/** The first container with something to say decides, so the list is gone through backwards. */
function containersStatus(pod: Pod, initial: string, tally: Tally): string {
  let status = initial;
  let running = false;
  for (const container of [...(pod.status?.containerStatuses ?? [])].reverse()) {
    tally.count(container, false);
    const { waiting, terminated } = container.state ?? {};
    if (waiting?.reason) status = waiting.reason;
    else if (terminated !== undefined) status = terminated.reason || exitText(terminated);
    else if (container.ready && container.state?.running !== undefined) {
      running = true;
      tally.ready++;
    }
  }
  if (status === 'Completed' && running) return hasCondition(pod, 'Ready') ? 'Running' : 'NotReady';
  return status;
}

function deletionStatus({ metadata, status }: Pod, text: string): string {
  if (metadata?.deletionTimestamp === undefined) return text;
  if (status?.reason === 'NodeLost') return 'Unknown';
  return status?.phase === 'Succeeded' || status?.phase === 'Failed' ? text : 'Terminating';
}

function hasCondition(pod: Pod, type: string): boolean {
  return pod.status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;
}

function restartsText({ restarts, lastRestartMs }: PodSummary, nowMs: number): string {
  if (restarts === 0 || lastRestartMs === undefined) return String(restarts);
  return `${restarts} (${humanDuration(nowMs - lastRestartMs)} ago)`;
}

function readinessGatesText(pod: Pod): string {
  const gates = pod.spec?.readinessGates ?? [];
  if (gates.length === 0) return NONE;
  return `${gates.filter(({ conditionType }) => hasCondition(pod, conditionType)).length}/${gates.length}`;
}
