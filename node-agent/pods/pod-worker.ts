/**
 * Looks after one pod: asks `decidePod` what to do, does it, and asks again on every event: a new version of the pod's
 * object, a container that ended, a probe's result, a timer. Whatever takes time runs beside it and reports back.
 */
import type { Container, Pod, PodStatus } from 'kubernetes-types/core/v1.d.ts';
import { PODS } from '../../shared/api/resources.ts';
import { isApiError } from '../../shared/api/status.ts';
import type { EventType } from '../../shared/bus/event-recorder.ts';
import type { Timer } from '../../shared/runtime/clock.ts';
import { ContainerProbes } from './container-probes.ts';
import { type ContainerRecord, restoreRecords } from './container-record.ts';
import { CommandStartError, type ContainerEnd, type ContainerInstance } from './container-runtime.ts';
import { launchContainer, nodeFacts, prepareLaunch, type StartedContainer } from './container-starter.ts';
import { DownwardApiError } from './downward-api.ts';
import { ContainerConfigError } from './environment.ts';
import { imageProblem } from './image-reference.ts';
import { type KubeletContext, RUNTIME_NAME } from './kubelet-context.ts';
import { runHook } from './lifecycle-hook.ts';
import { decidePod, type PodAction, type PodView, wakeAtMs } from './pod-actions.ts';
import { podStatus } from './pod-status.ts';
import { PodVolumes } from './pod-volumes.ts';
import { checkProbe, type ProbeOutcome, type ProbeTarget } from './probe-check.ts';
import { type ProbeKind, probeOf } from './probe-threshold.ts';
import { afterAttempt, NO_BACKOFF, nextAttemptAtMs } from './restart-backoff.ts';
import { type CreatedSandbox, createSandbox, NetworkNotReadyError } from './sandbox.ts';
import { StatusWriter } from './status-writer.ts';
import { terminationMessage } from './termination-message.ts';
import { VolumeError } from './volume-content.ts';

/** A container that runs, or ran last. */
export interface LiveContainer extends StartedContainer {
  readonly startedAtMs: number;
  probes: ContainerProbes | undefined;
}

const SANDBOX_RETRY_MS = 1000;
const CONFIG_RETRY_MS = 1000;
const IMAGE_BACK_OFF_SHOWN_AFTER_MS = 1000;
const FINALISE_RETRY_MS = 500;
const DEFAULT_GRACE_SECONDS = 30;
/** What a container gets to end by itself when its pod was deleted by force. */
const FORCED_GRACE_MS = 500;
/** After a preStop hook that used up the whole period. */
const MIN_GRACE_MS = 2000;

export class PodWorker {
  readonly records: ContainerRecord[];
  private readonly context: KubeletContext;
  private readonly onGone: () => void;
  private readonly status: StatusWriter;
  private readonly volumes = new PodVolumes();
  private readonly live = new Map<string, LiveContainer>();
  private readonly firstSeenMs: number;
  private currentPod: Pod;
  private lastStatus: PodStatus | undefined;
  private sandboxState: PodView['sandbox'] = 'none';
  private sandbox: CreatedSandbox | undefined;
  private sandboxRetryAtMs = 0;
  private waitsForNetwork = false;
  private objectGone = false;
  private finalising = false;
  private done = false;
  private timer: Timer | undefined;
  private syncQueued = false;

  /** `onGone` is called once nothing of the pod is left. */
  constructor(pod: Pod, context: KubeletContext, onGone: () => void) {
    this.currentPod = pod;
    this.context = context;
    this.onGone = onGone;
    this.firstSeenMs = context.clock.nowMs();
    this.records = restoreRecords(pod, this.firstSeenMs);
    this.status = new StatusWriter(pod, context.api, context.clock, context.log);
    this.wake();
  }

  get pod(): Pod {
    return this.currentPod;
  }

  container(name: string): LiveContainer | undefined {
    return this.live.get(name);
  }

  get podSandbox(): CreatedSandbox['sandbox'] | undefined {
    return this.sandbox?.sandbox;
  }

  /** A new version of the pod's object. */
  update(pod: Pod): void {
    this.currentPod = pod;
    this.wake();
  }

  /** The pod's object is gone (deleted by force): what still runs is ended now. */
  remove(): void {
    this.objectGone = true;
    this.status.close();
    for (const container of this.live.values()) this.killSoon(container.instance, FORCED_GRACE_MS);
    this.wake();
  }

  /** The CNI has become ready. */
  networkReady(): void {
    if (!this.waitsForNetwork) return;
    this.waitsForNetwork = false;
    this.sandboxRetryAtMs = 0;
    this.wake();
  }

  /** A ConfigMap or Secret has changed. */
  async refreshVolumes(): Promise<void> {
    const sandbox = this.sandbox?.sandbox;
    if (sandbox === undefined || this.terminating) return;
    try {
      await this.prepareVolumes(sandbox);
    } catch (error) {
      this.context.log.debug({ error, pod: this.fullName }, 'volumes keep their content');
    }
  }

  /** The node stops: ends the containers without a word to the API, as a machine that is shut down. */
  async shutDown(graceMs: number): Promise<void> {
    this.done = true;
    this.timer?.cancel();
    this.status.close();
    for (const container of this.live.values()) {
      container.probes?.stop();
      this.killSoon(container.instance, graceMs);
    }
    await Promise.all([...this.live.values()].map((container) => container.instance.ended));
    await this.sandbox?.destroy();
  }

  // --- the loop ----------------------------------------------------------------------------------------------------

  private get terminating(): boolean {
    return this.objectGone || this.currentPod.metadata?.deletionTimestamp !== undefined;
  }

  private get fullName(): string {
    return `${this.currentPod.metadata?.namespace}/${this.currentPod.metadata?.name}`;
  }

  private view(): PodView {
    return {
      pod: this.currentPod,
      records: this.records,
      sandbox: this.sandboxState,
      sandboxRetryAtMs: this.sandboxRetryAtMs,
      terminating: this.terminating,
      nowMs: this.context.clock.nowMs(),
    };
  }

  private wake(): void {
    if (this.syncQueued || this.done) return;
    this.syncQueued = true;
    queueMicrotask(() => {
      this.syncQueued = false;
      if (!this.done) this.sync();
    });
  }

  private sync(): void {
    this.timer?.cancel();
    const view = this.view();
    for (const action of decidePod(view)) this.perform(action);
    const wakeMs = wakeAtMs(view);
    if (wakeMs !== Number.POSITIVE_INFINITY) {
      this.timer = this.context.clock.setTimer(Math.max(1, wakeMs - view.nowMs), () => this.wake());
    }
    this.offerStatus();
  }

  private perform(action: PodAction): void {
    switch (action.kind) {
      case 'create-sandbox':
        void this.makeSandbox();
        return;
      case 'start':
        void this.start(this.record(action.container));
        return;
      case 'back-off':
        this.showCrashLoop(this.record(action.container), action.message);
        return;
      case 'stop':
        void this.stop(this.record(action.container), action.reason);
        return;
      case 'destroy-sandbox':
        void this.removeSandbox();
        return;
      case 'finalise':
        void this.finalise();
        return;
    }
  }

  private offerStatus(): void {
    if (this.objectGone) return;
    const sandbox = this.sandbox?.sandbox;
    const status = podStatus({
      pod: this.currentPod,
      previous: this.lastStatus,
      records: this.records,
      sandboxReady: this.sandboxState === 'ready',
      podIp: sandbox?.podIp ?? this.lastStatus?.podIP ?? '',
      hostIp: this.context.hostIp,
      startedAtMs: this.firstSeenMs,
      nowMs: this.context.clock.nowMs(),
      runtimeName: RUNTIME_NAME,
    });
    this.lastStatus = status;
    this.status.offer(status);
  }

  // --- sandbox -----------------------------------------------------------------------------------------------------

  private async makeSandbox(): Promise<void> {
    this.sandboxState = 'creating';
    try {
      await this.context.objects.load(this.currentPod);
      const created = await createSandbox(this.currentPod, this.context);
      try {
        await this.prepareVolumes(created.sandbox);
      } catch (error) {
        await created.destroy();
        throw error;
      }
      this.sandbox = created;
      this.sandboxState = 'ready';
    } catch (error) {
      this.sandboxState = 'none';
      this.sandboxRetryAtMs = this.context.clock.nowMs() + SANDBOX_RETRY_MS;
      this.reportSandboxFailure(error);
    }
    this.wake();
  }

  private async prepareVolumes(sandbox: CreatedSandbox['sandbox']): Promise<void> {
    const { objects, tokens } = this.context;
    await this.volumes.prepare(this.currentPod, {
      configMap: (namespace, name) => objects.configMap(namespace, name),
      secret: (namespace, name) => objects.secret(namespace, name),
      services: (namespace) => objects.services(namespace),
      facts: nodeFacts(this.context, sandbox),
      token: (audience, seconds) => tokens.token(this.currentPod, audience, seconds),
    });
  }

  private reportSandboxFailure(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.context.log.debug({ error, pod: this.fullName }, 'the pod could not be set up');
    if (error instanceof NetworkNotReadyError) {
      this.waitsForNetwork = true;
      this.sandboxRetryAtMs = Number.POSITIVE_INFINITY;
      this.recordPod('Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${message}`);
    } else if (error instanceof VolumeError) {
      this.recordPod('Warning', 'FailedMount', `MountVolume.SetUp failed: ${message}`);
    } else {
      this.recordPod('Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${message}`);
    }
  }

  private async removeSandbox(): Promise<void> {
    this.sandboxState = 'destroying';
    try {
      await this.sandbox?.destroy();
    } catch (error) {
      this.context.log.error({ error, pod: this.fullName }, 'the sandbox could not be removed cleanly');
    }
    this.sandbox = undefined;
    this.sandboxState = 'none';
    this.wake();
  }

  // --- containers --------------------------------------------------------------------------------------------------

  private record(name: string): ContainerRecord {
    const record = this.records.find((candidate) => candidate.name === name);
    if (record === undefined) throw new Error(`pod ${this.fullName} has no container ${name}`);
    return record;
  }

  private async start(record: ContainerRecord): Promise<void> {
    const { context } = this;
    const sandbox = this.sandbox?.sandbox;
    if (sandbox === undefined) throw new Error(`container ${record.name} is to start without a sandbox`);
    const image = record.spec.image ?? '';
    const runtime = context.runtimes.find((candidate) => candidate.has(image));
    if (runtime === undefined) {
      this.showImageProblem(record, image);
      return;
    }
    const before = record.phase;
    record.phase = 'starting';
    const start = { pod: this.currentPod, container: record.spec, sandbox, volumes: this.volumes, runtime };
    try {
      await context.objects.load(this.currentPod);
      const launch = prepareLaunch({ ...start, instance: record.starts }, context);
      this.beginInstance(record);
      this.recordContainer(record, 'Normal', 'Pulled', `Container image "${image}" already present on machine`);
      this.recordContainer(record, 'Normal', 'Created', `Created container: ${record.name}`);
      const started = await launchContainer(launch, { ...start, instance: record.starts - 1 }, context);
      this.began(record, started);
    } catch (error) {
      this.startFailed(record, before, error);
    }
    this.wake();
  }

  private beginInstance(record: ContainerRecord): void {
    const nowMs = this.context.clock.nowMs();
    if (record.exit !== undefined) {
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

  private began(record: ContainerRecord, started: StartedContainer): void {
    const { clock } = this.context;
    const startedAtMs = clock.nowMs();
    const container: LiveContainer = { ...started, startedAtMs, probes: undefined };
    this.live.set(record.name, container);
    record.phase = 'running';
    record.containerId = started.id;
    record.startedAtMs = startedAtMs;
    this.recordContainer(record, 'Normal', 'Started', `Started container ${record.name}`);
    void started.instance.ended.then((end) => this.containerEnded(record, container, end));
    const hook = record.spec.lifecycle?.postStart;
    if (hook === undefined) this.markStarted(record, container);
    else void this.runPostStart(record, container, hook);
  }

  private async runPostStart(
    record: ContainerRecord,
    container: LiveContainer,
    hook: NonNullable<NonNullable<Container['lifecycle']>['postStart']>,
  ): Promise<void> {
    const failure = await runHook(hook, this.probeTarget(record, container), this.context.clock);
    if (record.containerId !== container.id || record.phase !== 'running') return;
    if (failure === undefined) this.markStarted(record, container);
    else {
      this.recordContainer(record, 'Warning', 'FailedPostStartHook', failure);
      record.condemned = 'FailedPostStartHook';
    }
    this.wake();
  }

  private markStarted(record: ContainerRecord, container: LiveContainer): void {
    record.started = record.spec.startupProbe === undefined;
    record.ready = record.spec.readinessProbe === undefined;
    const { startupProbe, livenessProbe, readinessProbe } = record.spec;
    if (startupProbe === undefined && livenessProbe === undefined && readinessProbe === undefined) return;
    container.probes = new ContainerProbes({
      container: record.spec,
      clock: this.context.clock,
      check: (kind, timeoutMs) =>
        checkProbe(probeOf(record.spec, kind) ?? {}, this.probeTarget(record, container), timeoutMs),
      onChange: (kind, passed) => this.probeSettled(record, kind, passed),
      onFailure: (kind, outcome) => this.probeFailed(record, kind, outcome),
    });
  }

  private probeTarget(record: ContainerRecord, container: LiveContainer): ProbeTarget {
    return {
      container: record.spec,
      podIp: this.sandbox?.sandbox.podIp ?? '',
      network: this.context.nodeNetwork,
      exec: (command, streams, signal) => container.instance.exec(command, streams, signal),
    };
  }

  private probeSettled(record: ContainerRecord, kind: ProbeKind, passed: boolean): void {
    if (kind === 'readiness') record.ready = passed;
    else if (kind === 'startup' && passed) record.started = true;
    else if (!passed) record.condemned = `failed ${kind} probe`;
    this.wake();
  }

  private probeFailed(record: ContainerRecord, kind: ProbeKind, outcome: ProbeOutcome): void {
    const name = `${kind[0]!.toUpperCase()}${kind.slice(1)}`;
    this.recordContainer(record, 'Warning', 'Unhealthy', `${name} probe failed: ${outcome.output}`);
  }

  private startFailed(record: ContainerRecord, before: ContainerRecord['phase'], error: unknown): void {
    const nowMs = this.context.clock.nowMs();
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof CommandStartError) {
      this.recordContainer(record, 'Warning', 'Failed', `Error: ${message}`);
      record.phase = 'exited';
      record.exit = { exitCode: 128, reason: 'StartError', message, startedAtMs: 0, finishedAtMs: nowMs };
      return;
    }
    const isConfig =
      error instanceof ContainerConfigError || error instanceof VolumeError || error instanceof DownwardApiError;
    if (!isConfig) this.context.log.error({ error, pod: this.fullName, container: record.name }, 'start failed');
    record.phase = before;
    record.waiting = { reason: isConfig ? 'CreateContainerConfigError' : 'CreateContainerError', message };
    record.retryAtMs = nowMs + CONFIG_RETRY_MS;
    this.recordContainer(record, 'Warning', 'Failed', `Error: ${message}`);
  }

  private showImageProblem(record: ContainerRecord, image: string): void {
    const { clock } = this.context;
    const nowMs = clock.nowMs();
    const known = this.context.runtimes.flatMap((runtime) => runtime.imageNames());
    const problem = imageProblem(image, record.spec.imagePullPolicy, known);
    record.waiting = problem;
    record.imageBackoff = afterAttempt(record.imageBackoff, nowMs, nowMs);
    record.retryAtMs = nextAttemptAtMs(record.imageBackoff, nowMs);
    if (problem.reason !== 'ErrImagePull') {
      this.recordContainer(record, 'Warning', problem.reason, problem.message);
      return;
    }
    this.recordContainer(record, 'Normal', 'Pulling', `Pulling image "${image}"`);
    this.recordContainer(record, 'Warning', 'Failed', `Failed to pull image "${image}": ${problem.message}`);
    this.recordContainer(record, 'Warning', 'Failed', 'Error: ErrImagePull');
    clock.setTimer(IMAGE_BACK_OFF_SHOWN_AFTER_MS, () => {
      if (record.waiting !== problem || this.done) return;
      const message = `Back-off pulling image "${image}": ${problem.reason}: ${problem.message}`;
      record.waiting = { reason: 'ImagePullBackOff', message };
      this.recordContainer(record, 'Normal', 'BackOff', `Back-off pulling image "${image}"`);
      this.recordContainer(record, 'Warning', 'Failed', 'Error: ImagePullBackOff');
      this.wake();
    });
  }

  private showCrashLoop(record: ContainerRecord, message: string): void {
    if (record.waiting?.reason === 'CrashLoopBackOff') return;
    record.waiting = { reason: 'CrashLoopBackOff', message };
    const where = `${this.currentPod.metadata?.name}_${this.currentPod.metadata?.namespace}(${this.currentPod.metadata?.uid})`;
    const text = `Back-off restarting failed container ${record.name} in pod ${where}`;
    this.recordContainer(record, 'Warning', 'BackOff', text);
  }

  private containerEnded(record: ContainerRecord, container: LiveContainer, end: ContainerEnd): void {
    container.probes?.stop();
    if (record.containerId !== container.id) return;
    record.exit = {
      exitCode: end.exitCode,
      reason: end.exitCode === 0 ? 'Completed' : 'Error',
      message: terminationMessage(record.spec, container, end),
      startedAtMs: container.startedAtMs,
      finishedAtMs: this.context.clock.nowMs(),
      containerId: container.id,
    };
    record.phase = 'exited';
    record.started = false;
    record.ready = false;
    record.condemned = undefined;
    this.wake();
  }

  // --- ending ------------------------------------------------------------------------------------------------------

  private async stop(record: ContainerRecord, reason: string): Promise<void> {
    const container = this.live.get(record.name);
    if (container === undefined) return;
    const { clock } = this.context;
    record.phase = 'stopping';
    container.probes?.stop();
    const unhealthy = reason.startsWith('failed');
    const message = unhealthy
      ? `Container ${record.name} ${reason}, will be restarted`
      : `Stopping container ${record.name}`;
    if (!this.objectGone) this.recordContainer(record, 'Normal', 'Killing', message);
    const graceMs = this.graceMs(record);
    const startedMs = clock.monotonicMs();
    const hook = record.spec.lifecycle?.preStop;
    if (hook !== undefined && graceMs > 0) {
      const failure = await runHook(hook, this.probeTarget(record, container), clock, graceMs);
      if (failure !== undefined) this.recordContainer(record, 'Warning', 'FailedPreStopHook', failure);
    }
    const leftMs = graceMs - (clock.monotonicMs() - startedMs);
    this.killSoon(container.instance, hook === undefined ? leftMs : Math.max(leftMs, MIN_GRACE_MS));
  }

  private graceMs(record: ContainerRecord): number {
    if (this.objectGone) return FORCED_GRACE_MS;
    const { deletionTimestamp, deletionGracePeriodSeconds } = this.currentPod.metadata ?? {};
    const specSeconds = this.currentPod.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
    if (deletionTimestamp === undefined) {
      const probe = record.condemned?.includes('startup') ? record.spec.startupProbe : record.spec.livenessProbe;
      return (
        (record.condemned === undefined ? specSeconds : (probe?.terminationGracePeriodSeconds ?? specSeconds)) * 1000
      );
    }
    return (deletionGracePeriodSeconds ?? specSeconds) * 1000;
  }

  private killSoon(instance: ContainerInstance, graceMs: number): void {
    instance.signal('SIGTERM');
    const timer = this.context.clock.setTimer(Math.max(0, graceMs), () => instance.signal('SIGKILL'));
    void instance.ended.then(() => timer.cancel());
  }

  private async finalise(): Promise<void> {
    if (this.finalising) return;
    this.finalising = true;
    const { context } = this;
    const { name = '', namespace, uid = '' } = this.currentPod.metadata ?? {};
    this.offerStatus();
    await this.status.flushed();
    while (!this.objectGone && !this.done) {
      try {
        await context.api.delete(PODS, name, namespace, { gracePeriodSeconds: 0, uid });
        break;
      } catch (error) {
        if (isApiError(error, 'NotFound') || isApiError(error, 'Conflict')) break;
        context.log.warn({ error, pod: this.fullName }, 'the pod could not be deleted; trying again');
        await context.clock.sleep(FINALISE_RETRY_MS);
      }
    }
    this.done = true;
    this.timer?.cancel();
    this.status.close();
    context.tokens.forget(uid);
    try {
      await context.logs.removePod(this.currentPod);
    } catch (error) {
      context.log.warn({ error, pod: this.fullName }, 'the logs of the pod could not be removed');
    }
    this.onGone();
  }

  // --- events ------------------------------------------------------------------------------------------------------

  private recordPod(type: EventType, reason: string, message: string, fieldPath?: string): void {
    const { name = '', namespace, uid } = this.currentPod.metadata ?? {};
    this.context.events.record(
      { kind: 'Pod', apiVersion: 'v1', name, namespace, uid, fieldPath },
      type,
      reason,
      message,
    );
  }

  private recordContainer(record: ContainerRecord, type: EventType, reason: string, message: string): void {
    const list = record.kind === 'app' ? 'containers' : 'initContainers';
    this.recordPod(type, reason, message, `spec.${list}{${record.name}}`);
  }
}
