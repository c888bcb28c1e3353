/**
 * Looks after one pod: asks `decidePod` what to do, does it, and asks again on every event: a new version of the pod's
 * object, a container that ended, a probe's result, a timer. Whatever takes time runs beside it and reports back.
 */
import type { Pod, PodStatus } from 'kubernetes-types/core/v1.d.ts';
import { PODS } from '../../shared/api/resources.ts';
import { isApiError } from '../../shared/api/status.ts';
import type { EventType } from '../../shared/bus/event-recorder.ts';
import type { Timer } from '../../shared/runtime/clock.ts';
import { type ContainerRecord, ephemeralRecords, restoreRecords } from './container-record.ts';
import type { PodSandbox } from './container-runtime.ts';
import { nodeFacts } from './container-starter.ts';
import { type ContainerOwner, ContainerWorker } from './container-worker.ts';
import { allowedFolder } from './host-path.ts';
import { type KubeletContext, RUNTIME_NAME } from './kubelet-context.ts';
import { decidePod, type PodAction, type PodView, wakeAtMs } from './pod-actions.ts';
import { podStatus } from './pod-status.ts';
import { PodVolumes } from './pod-volumes.ts';
import { type CreatedSandbox, createSandbox, NetworkNotReadyError } from './sandbox.ts';
import { StatusWriter } from './status-writer.ts';
import { VolumeError } from './volume-content.ts';

const SANDBOX_RETRY_MS = 1000;
const FINALISE_RETRY_MS = 500;

export class PodWorker implements ContainerOwner {
  readonly context: KubeletContext;
  readonly volumes = new PodVolumes();
  private readonly containers: ContainerWorker[];
  private readonly onGone: () => void;
  private readonly status: StatusWriter;
  private readonly firstSeenMs: number;
  private currentPod: Pod;
  private lastStatus: PodStatus | undefined;
  private sandboxState: PodView['sandbox'] = 'none';
  private created: CreatedSandbox | undefined;
  private sandboxRetryAtMs = 0;
  private waitsForNetwork = false;
  private volumesFailed = false;
  private isObjectGone = false;
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
    this.containers = restoreRecords(pod, this.firstSeenMs).map((record) => new ContainerWorker(record, this));
    this.status = new StatusWriter(pod, context.api, context.clock, context.log);
    this.wake();
  }

  get records(): readonly ContainerRecord[] {
    return this.containers.map((container) => container.record);
  }

  get pod(): Pod {
    return this.currentPod;
  }

  get sandbox(): PodSandbox | undefined {
    return this.created?.sandbox;
  }

  get objectGone(): boolean {
    return this.isObjectGone;
  }

  /** Undefined when the pod has no container of this name. */
  container(name: string): ContainerWorker | undefined {
    return this.containers.find((candidate) => candidate.record.name === name);
  }

  /** A new version of the pod's object. */
  update(pod: Pod): void {
    this.currentPod = pod;
    this.status.observe(pod);
    this.addEphemeral();
    this.wake();
  }

  /** Containers that were added to the running pod (`kubectl debug`). */
  private addEphemeral(): void {
    for (const record of ephemeralRecords(this.currentPod)) {
      if (this.container(record.name) === undefined) this.containers.push(new ContainerWorker(record, this));
    }
  }

  /** The pod's object is gone (deleted by force): what still runs is ended now. */
  remove(): void {
    this.isObjectGone = true;
    this.status.close();
    for (const container of this.containers) container.forceKill();
    this.wake();
  }

  /** The CNI has become ready. */
  networkReady(): void {
    if (!this.waitsForNetwork) return;
    this.waitsForNetwork = false;
    this.sandboxRetryAtMs = 0;
    this.wake();
  }

  /** A ConfigMap or Secret that the pod refers to has changed, or is there for the first time. */
  async referencedChanged(): Promise<void> {
    if (this.terminating) return;
    if (this.sandboxState === 'none') {
      this.sandboxRetryAtMs = Math.min(this.sandboxRetryAtMs, this.context.clock.nowMs());
      this.wake();
      return;
    }
    try {
      await this.prepareVolumes();
      await this.sandbox?.refreshVolumes?.();
    } catch (error) {
      this.context.log.debug({ error, pod: this.fullName }, 'volumes keep their content');
    }
  }

  /** The node stops: ends the containers without a word to the API, as a machine that is shut down. */
  async shutDown(graceMs: number): Promise<void> {
    this.done = true;
    this.timer?.cancel();
    this.status.close();
    await Promise.all(this.containers.map((container) => container.kill(graceMs)));
    await this.created?.destroy();
  }

  wake(): void {
    if (this.syncQueued || this.done) return;
    this.syncQueued = true;
    queueMicrotask(() => {
      this.syncQueued = false;
      if (!this.done) this.sync();
    });
  }

  recordEvent(type: EventType, reason: string, message: string, fieldPath?: string): void {
    const { name = '', namespace, uid } = this.currentPod.metadata ?? {};
    this.context.events.record(
      { kind: 'Pod', apiVersion: 'v1', name, namespace, uid, fieldPath },
      type,
      reason,
      message,
    );
  }

  private get terminating(): boolean {
    return this.isObjectGone || this.currentPod.metadata?.deletionTimestamp !== undefined;
  }

  private get fullName(): string {
    return `${this.currentPod.metadata?.namespace}/${this.currentPod.metadata?.name}`;
  }

  private sync(): void {
    this.timer?.cancel();
    const view: PodView = {
      pod: this.currentPod,
      records: this.records,
      sandbox: this.sandboxState,
      sandboxRetryAtMs: this.sandboxRetryAtMs,
      terminating: this.terminating,
      nowMs: this.context.clock.nowMs(),
    };
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
        void this.container(action.container)?.start();
        return;
      case 'back-off':
        this.container(action.container)?.showCrashLoop(action.message);
        return;
      case 'stop':
        void this.container(action.container)?.stop(action.reason);
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
    if (this.isObjectGone) return;
    this.lastStatus = podStatus({
      pod: this.currentPod,
      previous: this.lastStatus,
      records: this.records,
      sandboxReady: this.sandboxState === 'ready',
      podIp: this.sandbox?.podIp ?? this.lastStatus?.podIP ?? '',
      podIpv6: this.sandbox?.podIpv6 ?? this.lastStatus?.podIPs?.[1]?.ip,
      hostIp: this.context.hostIp,
      hostIpv6: this.context.hostIpv6,
      startedAtMs: this.firstSeenMs,
      nowMs: this.context.clock.nowMs(),
      runtimeName: RUNTIME_NAME,
    });
    this.status.offer(this.lastStatus);
  }

  private async makeSandbox(): Promise<void> {
    this.sandboxState = 'creating';
    try {
      await this.context.objects.load(this.currentPod);
      await this.prepareVolumes();
      this.created = await createSandbox(this.currentPod, this.context);
      this.sandboxState = 'ready';
    } catch (error) {
      this.sandboxState = 'none';
      this.sandboxRetryAtMs = this.context.clock.nowMs() + SANDBOX_RETRY_MS;
      this.reportSandboxFailure(error);
    }
    this.wake();
  }

  private async prepareVolumes(): Promise<void> {
    const { objects, tokens } = this.context;
    await this.volumes.prepare(this.currentPod, {
      configMap: (namespace, name) => objects.configMap(namespace, name),
      secret: (namespace, name) => objects.secret(namespace, name),
      services: (namespace) => objects.services(namespace),
      facts: nodeFacts(this.context, this.sandbox),
      nodeFolder: (path) => this.context.nodeFolders.find(path),
      machineFolder: (path) => allowedFolder(path, this.context.allowedHostPaths),
      token: (audience, seconds) => tokens.token(this.currentPod, audience, seconds),
    });
  }

  private reportSandboxFailure(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.context.log.debug({ error, pod: this.fullName }, 'the pod could not be set up');
    if (error instanceof VolumeError) {
      // What a pod was created together with may come a moment later; only what stays away is worth an event.
      if (this.volumesFailed) this.recordEvent('Warning', 'FailedMount', `MountVolume.SetUp failed: ${message}`);
      this.volumesFailed = true;
      return;
    }
    if (error instanceof NetworkNotReadyError) {
      this.waitsForNetwork = true;
      this.sandboxRetryAtMs = Number.POSITIVE_INFINITY;
    }
    this.recordEvent('Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${message}`);
  }

  private async removeSandbox(): Promise<void> {
    this.sandboxState = 'destroying';
    try {
      await this.created?.destroy();
    } catch (error) {
      this.context.log.error({ error, pod: this.fullName }, 'the sandbox could not be removed cleanly');
    }
    this.created = undefined;
    this.sandboxState = 'none';
    this.wake();
  }

  /** The last status, then the object itself, then what the node kept of the pod. */
  private async finalise(): Promise<void> {
    if (this.finalising) return;
    this.finalising = true;
    this.offerStatus();
    await this.status.flushed();
    await this.deleteObject();
    this.done = true;
    this.timer?.cancel();
    this.status.close();
    this.context.tokens.forget(this.currentPod.metadata?.uid ?? '');
    try {
      await this.context.logs.removePod(this.currentPod);
    } catch (error) {
      this.context.log.warn({ error, pod: this.fullName }, 'the logs of the pod could not be removed');
    }
    this.onGone();
  }

  private async deleteObject(): Promise<void> {
    const { api, clock, log } = this.context;
    const { name = '', namespace, uid = '' } = this.currentPod.metadata ?? {};
    while (!this.isObjectGone && !this.done) {
      try {
        await api.delete(PODS, name, namespace, { gracePeriodSeconds: 0, uid });
        return;
      } catch (error) {
        if (isApiError(error, 'NotFound') || isApiError(error, 'Conflict')) return;
        log.warn({ error, pod: this.fullName }, 'the pod could not be deleted; trying again');
        await clock.sleep(FINALISE_RETRY_MS);
      }
    }
  }
}
