/**
 * Looks after one container of a pod: starts it, watches its probes, ends it. It keeps the container's record true and
 * wakes the pod's worker whenever that changes; what to do is decided there.
 */
import type { Container, Pod } from 'kubernetes-types/core/v1.d.ts';
import type { EventType } from '../../shared/bus/event-recorder.ts';
import { ContainerProbes } from './container-probes.ts';
import type { ContainerRecord } from './container-record.ts';
import { CommandStartError, type ContainerEnd, type ContainerRuntime, type PodSandbox } from './container-runtime.ts';
import { launchContainer, prepareLaunch, type StartedContainer } from './container-starter.ts';
import { DownwardApiError } from './downward-api.ts';
import { ContainerConfigError } from './environment.ts';
import { imageProblem } from './image-reference.ts';
import type { KubeletContext } from './kubelet-context.ts';
import { runHook } from './lifecycle-hook.ts';
import type { PodVolumes } from './pod-volumes.ts';
import { checkProbe, type ProbeOutcome, type ProbeTarget } from './probe-check.ts';
import { type ProbeKind, probeOf } from './probe-threshold.ts';
import { afterAttempt, NO_BACKOFF, nextAttemptAtMs } from './restart-backoff.ts';
import { terminationMessage } from './termination-message.ts';
import { VolumeError } from './volume-content.ts';

/** A container that runs, or ran last. */
export interface LiveContainer extends StartedContainer {
  readonly startedAtMs: number;
  probes: ContainerProbes | undefined;
}

/** What a container's worker needs of its pod's. */
export interface ContainerOwner {
  readonly context: KubeletContext;
  readonly volumes: PodVolumes;
  readonly pod: Pod;
  readonly sandbox: PodSandbox | undefined;
  /** No events and no waiting any more: the pod's object is gone. */
  readonly objectGone: boolean;
  wake(): void;
  recordEvent(type: EventType, reason: string, message: string, fieldPath: string): void;
}

type Hook = NonNullable<NonNullable<Container['lifecycle']>['postStart']>;

const CONFIG_RETRY_MS = 1000;
const IMAGE_BACK_OFF_SHOWN_AFTER_MS = 1000;
const DEFAULT_GRACE_SECONDS = 30;
/** What a container gets to end by itself when its pod was deleted by force. */
const FORCED_GRACE_MS = 500;
/** After a preStop hook that used up the whole period. */
const MIN_GRACE_MS = 2000;

/** Where a container of the kind stands in its pod's specification. */
const LISTS: Readonly<Record<ContainerRecord['kind'], string>> = {
  init: 'initContainers',
  sidecar: 'initContainers',
  app: 'containers',
  ephemeral: 'ephemeralContainers',
};

export class ContainerWorker {
  readonly record: ContainerRecord;
  private readonly owner: ContainerOwner;
  private current: LiveContainer | undefined;

  constructor(record: ContainerRecord, owner: ContainerOwner) {
    this.record = record;
    this.owner = owner;
  }

  get live(): LiveContainer | undefined {
    return this.current;
  }

  async start(): Promise<void> {
    const { record, owner } = this;
    const { context, sandbox } = owner;
    if (sandbox === undefined) throw new Error(`container ${record.name} is to start without a sandbox`);
    const image = record.spec.image ?? '';
    const runtime = sandbox.runtime ?? context.runtimes.find((candidate) => candidate.has(image));
    if (runtime === undefined) {
      this.showImageProblem(image);
      return;
    }
    const before = record.phase;
    record.phase = 'starting';
    try {
      this.began(await this.launch(runtime, sandbox));
    } catch (error) {
      this.startFailed(before, error);
    }
    owner.wake();
  }

  /** Hook, SIGTERM, and SIGKILL when the grace period is over. */
  async stop(reason: string): Promise<void> {
    const { record, owner, current } = this;
    if (current === undefined) return;
    const { clock } = owner.context;
    record.phase = 'stopping';
    current.probes?.stop();
    const message = reason.startsWith('failed')
      ? `Container ${record.name} ${reason}, will be restarted`
      : `Stopping container ${record.name}`;
    if (!owner.objectGone) this.event('Normal', 'Killing', message);
    const graceMs = this.graceMs();
    const startedMs = clock.monotonicMs();
    const hook = record.spec.lifecycle?.preStop;
    if (hook !== undefined && graceMs > 0) {
      const failure = await runHook(hook, this.probeTarget(current), clock, graceMs);
      if (failure !== undefined) this.event('Warning', 'FailedPreStopHook', failure);
    }
    const leftMs = graceMs - (clock.monotonicMs() - startedMs);
    await this.kill(hook === undefined ? leftMs : Math.max(leftMs, MIN_GRACE_MS));
  }

  /** The pod's object is gone. */
  forceKill(): void {
    void this.kill(FORCED_GRACE_MS);
  }

  /** SIGTERM now, SIGKILL after `graceMs`; resolves when the container has ended. */
  async kill(graceMs: number): Promise<void> {
    const instance = this.current?.instance;
    if (instance === undefined) return;
    this.current?.probes?.stop();
    instance.signal('SIGTERM');
    const timer = this.owner.context.clock.setTimer(Math.max(0, graceMs), () => instance.signal('SIGKILL'));
    await instance.ended;
    timer.cancel();
  }

  showCrashLoop(message: string): void {
    const { record, owner } = this;
    if (record.waiting?.reason === 'CrashLoopBackOff') return;
    record.waiting = { reason: 'CrashLoopBackOff', message };
    const { name, namespace, uid } = owner.pod.metadata ?? {};
    const where = `${name}_${namespace}(${uid})`;
    this.event('Warning', 'BackOff', `Back-off restarting failed container ${record.name} in pod ${where}`);
  }

  private async launch(runtime: ContainerRuntime, sandbox: PodSandbox): Promise<StartedContainer> {
    const { record, owner } = this;
    const { context, pod, volumes } = owner;
    await context.objects.load(pod);
    const start = { pod, container: record.spec, sandbox, volumes, runtime, instance: record.starts };
    const launch = prepareLaunch(start, context);
    this.beginInstance();
    const remark = runtime.remark?.(launch.image);
    const addition = remark === undefined ? '' : `; ${remark}`;
    this.event('Normal', 'Pulled', `Container image "${launch.image}" already present on machine${addition}`);
    this.event('Normal', 'Created', `Created container: ${record.name}`);
    return launchContainer(launch, start, context);
  }

  private beginInstance(): void {
    const { record } = this;
    if (record.exit !== undefined) {
      const nowMs = this.owner.context.clock.nowMs();
      record.backoff = afterAttempt(record.backoff, record.exit.finishedAtMs, nowMs);
      record.lastExit = record.exit;
    }
    record.exit = undefined;
    record.waiting = undefined;
    record.imageBackoff = NO_BACKOFF;
    record.retryAtMs = 0;
    record.condemned = undefined;
    record.starts++;
  }

  private began(started: StartedContainer): void {
    const { record, owner } = this;
    const startedAtMs = owner.context.clock.nowMs();
    const container: LiveContainer = { ...started, startedAtMs, probes: undefined };
    this.current = container;
    record.phase = 'running';
    record.containerId = started.id;
    record.startedAtMs = startedAtMs;
    this.event('Normal', 'Started', `Started container ${record.name}`);
    void started.instance.ended.then((end) => this.ended(container, end));
    const hook = record.spec.lifecycle?.postStart;
    if (hook === undefined) this.markStarted(container);
    else void this.runPostStart(container, hook);
  }

  private async runPostStart(container: LiveContainer, hook: Hook): Promise<void> {
    const { record, owner } = this;
    const failure = await runHook(hook, this.probeTarget(container), owner.context.clock);
    if (this.current !== container || record.phase !== 'running') return;
    if (failure === undefined) this.markStarted(container);
    else {
      this.event('Warning', 'FailedPostStartHook', failure);
      record.condemned = 'FailedPostStartHook';
    }
    owner.wake();
  }

  private markStarted(container: LiveContainer): void {
    const { record, owner } = this;
    const { startupProbe, livenessProbe, readinessProbe } = record.spec;
    record.started = startupProbe === undefined;
    record.ready = readinessProbe === undefined;
    if (startupProbe === undefined && livenessProbe === undefined && readinessProbe === undefined) return;
    container.probes = new ContainerProbes({
      container: record.spec,
      clock: owner.context.clock,
      check: (kind, timeoutMs) => checkProbe(probeOf(record.spec, kind) ?? {}, this.probeTarget(container), timeoutMs),
      onChange: (kind, passed) => this.probeSettled(kind, passed),
      onFailure: (kind, outcome) => this.probeFailed(kind, outcome),
    });
  }

  private probeTarget(container: LiveContainer): ProbeTarget {
    return {
      container: this.record.spec,
      podIp: this.owner.sandbox?.podIp ?? '',
      network: this.owner.context.nodeNetwork,
      exec: (command, streams, signal) => container.instance.exec(command, streams, signal),
    };
  }

  private probeSettled(kind: ProbeKind, passed: boolean): void {
    const { record } = this;
    if (kind === 'readiness') record.ready = passed;
    else if (kind === 'startup' && passed) record.started = true;
    else if (!passed) record.condemned = `failed ${kind} probe`;
    this.owner.wake();
  }

  private probeFailed(kind: ProbeKind, outcome: ProbeOutcome): void {
    const name = `${kind[0]!.toUpperCase()}${kind.slice(1)}`;
    this.event('Warning', 'Unhealthy', `${name} probe failed: ${outcome.output}`);
  }

  private startFailed(before: ContainerRecord['phase'], error: unknown): void {
    const { record, owner } = this;
    const { clock, log } = owner.context;
    const nowMs = clock.nowMs();
    const message = error instanceof Error ? error.message : String(error);
    this.event('Warning', 'Failed', `Error: ${message}`);
    if (error instanceof CommandStartError) {
      record.phase = 'exited';
      record.exit = { exitCode: 128, reason: 'StartError', message, startedAtMs: 0, finishedAtMs: nowMs };
      return;
    }
    const isConfig =
      error instanceof ContainerConfigError || error instanceof VolumeError || error instanceof DownwardApiError;
    if (!isConfig) log.error({ error, pod: owner.pod.metadata?.name, container: record.name }, 'start failed');
    record.phase = before;
    record.waiting = { reason: isConfig ? 'CreateContainerConfigError' : 'CreateContainerError', message };
    record.retryAtMs = nowMs + CONFIG_RETRY_MS;
  }

  private showImageProblem(image: string): void {
    const { record, owner } = this;
    const { clock, runtimes } = owner.context;
    const nowMs = clock.nowMs();
    const known = runtimes.flatMap((runtime) => runtime.imageNames());
    const problem = imageProblem(image, record.spec.imagePullPolicy, known);
    record.waiting = problem;
    record.imageBackoff = afterAttempt(record.imageBackoff, nowMs, nowMs);
    record.retryAtMs = nextAttemptAtMs(record.imageBackoff, nowMs);
    if (problem.reason !== 'ErrImagePull') {
      this.event('Warning', problem.reason, problem.message);
      return;
    }
    this.event('Normal', 'Pulling', `Pulling image "${image}"`);
    this.event('Warning', 'Failed', `Failed to pull image "${image}": ${problem.message}`);
    this.event('Warning', 'Failed', 'Error: ErrImagePull');
    clock.setTimer(IMAGE_BACK_OFF_SHOWN_AFTER_MS, () => {
      if (record.waiting !== problem || owner.objectGone) return;
      const message = `Back-off pulling image "${image}": ${problem.reason}: ${problem.message}`;
      record.waiting = { reason: 'ImagePullBackOff', message };
      this.event('Normal', 'BackOff', `Back-off pulling image "${image}"`);
      this.event('Warning', 'Failed', 'Error: ImagePullBackOff');
      owner.wake();
    });
  }

  private ended(container: LiveContainer, end: ContainerEnd): void {
    const { record, owner } = this;
    container.probes?.stop();
    if (this.current !== container) return;
    record.exit = {
      exitCode: end.exitCode,
      reason: end.exitCode === 0 ? 'Completed' : 'Error',
      message: terminationMessage(record.spec, container, end),
      startedAtMs: container.startedAtMs,
      finishedAtMs: owner.context.clock.nowMs(),
      containerId: container.id,
    };
    record.phase = 'exited';
    record.started = false;
    record.ready = false;
    record.condemned = undefined;
    owner.wake();
  }

  private graceMs(): number {
    const { record, owner } = this;
    if (owner.objectGone) return FORCED_GRACE_MS;
    const { deletionTimestamp, deletionGracePeriodSeconds } = owner.pod.metadata ?? {};
    const podSeconds = owner.pod.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
    if (deletionTimestamp !== undefined) return (deletionGracePeriodSeconds ?? podSeconds) * 1000;
    const probe = record.condemned?.includes('startup') ? record.spec.startupProbe : record.spec.livenessProbe;
    const own = record.condemned === undefined ? undefined : probe?.terminationGracePeriodSeconds;
    return (own ?? podSeconds) * 1000;
  }

  private event(type: EventType, reason: string, message: string): void {
    this.owner.recordEvent(type, reason, message, `spec.${LISTS[this.record.kind]}{${this.record.name}}`);
  }
}
