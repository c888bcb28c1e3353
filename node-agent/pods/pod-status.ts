/**
 * The status a kubelet reports for a pod: phase, conditions, container states, addresses; a pure function.
 * https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase
 */
import type { ContainerState, ContainerStatus, Pod, PodCondition, PodStatus } from 'kubernetes-types/core/v1.d.ts';
import { formatTimestamp } from '../../shared/api/timestamp.ts';
import { type ContainerExit, type ContainerRecord, restartCount } from './container-record.ts';
import { hasEnded } from './pod-actions.ts';

export interface PodStatusInput {
  readonly pod: Pod;
  /** What this node reported last; the status in `pod` may be older. */
  readonly previous?: PodStatus;
  readonly records: readonly ContainerRecord[];
  readonly sandboxReady: boolean;
  /** Empty until the network is set up. */
  readonly podIp: string;
  readonly podIpv6?: string;
  readonly hostIp: string;
  readonly hostIpv6?: string;
  /** When the node saw the pod first. */
  readonly startedAtMs: number;
  readonly nowMs: number;
  /** Node's name and version of what runs containers: the scheme of container ids. */
  readonly runtimeName: string;
}

export function podStatus(input: PodStatusInput): PodStatus {
  const { pod, records } = input;
  const phase = podPhase(input);
  const status: PodStatus = {
    phase,
    conditions: conditions(input, phase),
    hostIP: input.hostIp,
    hostIPs: pairOf(input.hostIp, input.hostIpv6),
    startTime: pod.status?.startTime ?? formatTimestamp(input.startedAtMs),
    containerStatuses: statusesOf(records, input, (record) => record.kind === 'app'),
    qosClass: pod.status?.qosClass ?? qosClass(pod),
  };
  if (records.some(isInit)) status.initContainerStatuses = statusesOf(records, input, isInit);
  if (records.some(isEphemeral)) status.ephemeralContainerStatuses = statusesOf(records, input, isEphemeral);
  if (input.podIp !== '') {
    status.podIP = input.podIp;
    status.podIPs = pairOf(input.podIp, input.podIpv6);
  }
  return status;
}

function isInit(record: ContainerRecord): boolean {
  return record.kind === 'init' || record.kind === 'sidecar';
}

function isEphemeral(record: ContainerRecord): boolean {
  return record.kind === 'ephemeral';
}

function pairOf(ipv4: string, ipv6: string | undefined): { ip: string }[] {
  return ipv6 === undefined ? [{ ip: ipv4 }] : [{ ip: ipv4 }, { ip: ipv6 }];
}

export function podPhase(input: Pick<PodStatusInput, 'pod' | 'records'>): string {
  const settled = input.pod.status?.phase;
  if (settled === 'Succeeded' || settled === 'Failed') return settled;
  const app = input.records.filter((record) => record.kind === 'app');
  if (hasEnded(input) && !input.records.some(isActive)) {
    const decisive = input.records.filter((record) => record.kind === 'init' || record.kind === 'app');
    const failed = decisive.some((record) => (record.exit?.exitCode ?? 0) !== 0);
    return failed ? 'Failed' : 'Succeeded';
  }
  return app.some(isFirstStartPending) ? 'Pending' : 'Running';
}

function isFirstStartPending(record: ContainerRecord): boolean {
  return (record.phase === 'waiting' && record.starts === 0) || (record.phase === 'starting' && record.starts <= 1);
}

/** `BestEffort`, `Burstable` or `Guaranteed` by requests and limits of cpu and memory. */
export function qosClass(pod: Pod): string {
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  const resources = containers.map((c) => ({
    requests: c.resources?.requests ?? {},
    limits: c.resources?.limits ?? {},
  }));
  const names = ['cpu', 'memory'];
  if (!resources.some((r) => names.some((n) => r.requests[n] !== undefined || r.limits[n] !== undefined))) {
    return 'BestEffort';
  }
  const guaranteed = resources.every((r) =>
    names.every((n) => r.limits[n] !== undefined && (r.requests[n] ?? r.limits[n]) === r.limits[n]),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

function isActive(record: ContainerRecord): boolean {
  return record.phase === 'starting' || record.phase === 'running' || record.phase === 'stopping';
}

function conditions(input: PodStatusInput, phase: string): PodCondition[] {
  const ready = readiness(input, phase);
  const containersReady = containersReadiness(input, phase);
  const wanted: PodCondition[] = [
    { type: 'PodReadyToStartContainers', status: input.sandboxReady ? 'True' : 'False' },
    initialised(input, phase),
    { type: 'Ready', ...ready },
    { type: 'ContainersReady', ...containersReady },
    { type: 'PodScheduled', status: 'True' },
  ];
  return wanted.map((condition) => withTransition(condition, input));
}

function withTransition(condition: PodCondition, input: PodStatusInput): PodCondition {
  const before = (input.previous ?? input.pod.status)?.conditions?.find((old) => old.type === condition.type);
  const unchanged = before !== undefined && before.status === condition.status;
  const lastTransitionTime = unchanged ? before.lastTransitionTime : formatTimestamp(input.nowMs);
  return { ...condition, lastTransitionTime: lastTransitionTime ?? formatTimestamp(input.nowMs) };
}

function initialised(input: PodStatusInput, phase: string): PodCondition {
  const pending = input.records.filter(
    (record) =>
      (record.kind === 'init' && record.exit?.exitCode !== 0) || (record.kind === 'sidecar' && !record.started),
  );
  const appBegan = input.records.some((record) => record.kind === 'app' && record.starts > 0);
  if (phase === 'Succeeded') return { type: 'Initialized', status: 'True', reason: 'PodCompleted' };
  if (pending.length === 0 || appBegan) return { type: 'Initialized', status: 'True' };
  const message = `containers with incomplete status: ${nameList(pending)}`;
  return { type: 'Initialized', status: 'False', reason: 'ContainersNotInitialized', message };
}

type Verdict = Pick<PodCondition, 'status' | 'reason' | 'message'>;

function containersReadiness(input: PodStatusInput, phase: string): Verdict {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  const needed = input.records.filter((record) => record.kind === 'app' || record.kind === 'sidecar');
  const unready = needed.filter((record) => !isReady(record));
  if (unready.length === 0) return { status: 'True' };
  const message = `containers with unready status: ${nameList(unready)}`;
  return { status: 'False', reason: 'ContainersNotReady', message };
}

function readiness(input: PodStatusInput, phase: string): Verdict {
  const containers = containersReadiness(input, phase);
  if (containers.status !== 'True') return containers;
  const open = (input.pod.spec?.readinessGates ?? []).filter(
    (gate) => input.pod.status?.conditions?.find((c) => c.type === gate.conditionType)?.status !== 'True',
  );
  if (open.length === 0) return containers;
  const names = open.map(
    (gate) => `corresponding condition of pod readiness gate "${gate.conditionType}" does not exist.`,
  );
  return { status: 'False', reason: 'ReadinessGatesNotReady', message: names.join(' ') };
}

function isReady(record: ContainerRecord): boolean {
  return (record.phase === 'running' || record.phase === 'stopping') && record.started && record.ready;
}

function nameList(records: readonly ContainerRecord[]): string {
  return `[${records.map((record) => record.name).join(' ')}]`;
}

function statusesOf(
  records: readonly ContainerRecord[],
  input: PodStatusInput,
  wanted: (record: ContainerRecord) => boolean,
): ContainerStatus[] {
  return records.filter(wanted).map((record) => containerStatus(record, input));
}

function containerStatus(record: ContainerRecord, input: PodStatusInput): ContainerStatus {
  const ended = record.phase === 'exited' && record.exit?.exitCode === 0;
  const status: ContainerStatus = {
    name: record.name,
    state: containerState(record, input),
    ready: record.kind === 'init' ? ended : record.kind !== 'ephemeral' && isReady(record),
    restartCount: restartCount(record),
    image: record.spec.image ?? '',
    imageID: record.starts > 0 ? `${input.runtimeName}://${record.spec.image ?? ''}` : '',
    started: (record.phase === 'running' || record.phase === 'stopping') && record.started,
  };
  const shownExit = status.state?.waiting !== undefined && record.phase === 'exited' ? record.exit : record.lastExit;
  status.lastState = shownExit === undefined ? {} : { terminated: terminated(shownExit, input.runtimeName) };
  const id = record.containerId ?? record.exit?.containerId;
  if (id !== undefined) status.containerID = qualified(id, input.runtimeName);
  return status;
}

function containerState(record: ContainerRecord, input: PodStatusInput): ContainerState {
  switch (record.phase) {
    case 'running':
    case 'stopping':
      return { running: { startedAt: formatTimestamp(record.startedAtMs ?? input.nowMs) } };
    case 'exited':
      if (record.waiting === undefined && record.exit !== undefined) {
        return { terminated: terminated(record.exit, input.runtimeName) };
      }
      return { waiting: record.waiting ?? defaultWait(record, input) };
    default:
      return { waiting: record.waiting ?? defaultWait(record, input) };
  }
}

function defaultWait(record: ContainerRecord, input: PodStatusInput): { reason: string } {
  const held = input.records.some(isInit) && record.kind === 'app' && record.starts === 0;
  return { reason: held ? 'PodInitializing' : 'ContainerCreating' };
}

function terminated(exit: ContainerExit, runtimeName: string): NonNullable<ContainerState['terminated']> {
  return {
    exitCode: exit.exitCode,
    reason: exit.reason,
    startedAt: exit.startedAtMs === undefined ? undefined : formatTimestamp(exit.startedAtMs),
    finishedAt: formatTimestamp(exit.finishedAtMs),
    containerID: exit.containerId === undefined ? undefined : qualified(exit.containerId, runtimeName),
    ...(exit.signal === undefined ? {} : { signal: exit.signal }),
    ...(exit.message === undefined ? {} : { message: exit.message }),
  };
}

function qualified(id: string, runtimeName: string): string {
  return id.includes('://') ? id : `${runtimeName}://${id}`;
}
