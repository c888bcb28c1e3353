/** The pods of this node: one worker for each, fed by an informer. */
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { PODS } from '../../shared/api/resources.ts';
import type { Bus } from '../../shared/bus/connection.ts';
import { createInformer, type Informer } from '../../shared/bus/informer.ts';
import type { NodeProcess } from '../../shared/bus/subjects.ts';
import type { Timer } from '../../shared/runtime/clock.ts';
import type { MeteredContainer, MeteredPod, ProcessUsage } from '../node/usage-meter.ts';
import { restartCount } from './container-record.ts';
import type { KubeletContext } from './kubelet-context.ts';
import { references } from './pod-references.ts';
import { PodWorker } from './pod-worker.ts';

/** No container of the name, or no pod; `message` is in the words of the original. */
export class NoSuchContainerError extends Error {
  override readonly name = 'NoSuchContainerError';
}

const SHUTDOWN_GRACE_MS = 1000;
/** Volumes are looked at so often whether or not an object changed: tokens in them grow old. */
const VOLUME_REFRESH_MS = 300_000;

export class PodManager {
  private readonly context: KubeletContext;
  private readonly informer: Informer<Pod>;
  private readonly workers = new Map<string, PodWorker>();
  private refreshTimer: Timer | undefined;

  constructor(bus: Bus, context: KubeletContext) {
    this.context = context;
    this.informer = createInformer<Pod>(bus, PODS, {
      mentions: context.nodeName,
      transform: (pod) => (pod.spec?.nodeName === context.nodeName ? pod : undefined),
    });
  }

  /** Resolves once the node's pods are known; `known` hears of them before any is started. */
  async start(known: (pods: readonly Pod[]) => void | Promise<void>): Promise<void> {
    await this.informer.start();
    await known(this.informer.list());
    this.informer.subscribe({
      added: (pod) => this.seen(pod),
      updated: (pod) => this.seen(pod),
      deleted: (pod) => this.workers.get(uidOf(pod))?.remove(),
    });
    this.planRefresh();
  }

  /** Ends all containers as a machine does that is shut down. */
  async stop(): Promise<void> {
    this.informer.stop();
    this.refreshTimer?.cancel();
    await Promise.all([...this.workers.values()].map((worker) => worker.shutDown(SHUTDOWN_GRACE_MS)));
  }

  /** The pods as the API has them. */
  list(): Pod[] {
    return [...this.workers.values()].map((worker) => worker.pod);
  }

  get podCount(): number {
    return this.workers.size;
  }

  get containerCount(): number {
    let running = 0;
    for (const worker of this.workers.values()) {
      running += worker.records.filter((record) => record.phase === 'running').length;
    }
    return running;
  }

  networkReady(): void {
    for (const worker of this.workers.values()) worker.networkReady();
  }

  /** A ConfigMap or Secret changed: pods that refer to it follow. */
  objectChanged(namespace: string, name: string): void {
    for (const worker of this.workers.values()) {
      if (worker.pod.metadata?.namespace !== namespace) continue;
      const { configMaps, secrets } = references(worker.pod);
      if (configMaps.has(name) || secrets.has(name)) void worker.referencedChanged();
    }
  }

  /** The worker of a pod by name. Throws NoSuchContainerError. */
  find(namespace: string, name: string): PodWorker {
    let found: PodWorker | undefined;
    for (const worker of this.workers.values()) {
      const { metadata } = worker.pod;
      if (metadata?.namespace !== namespace || metadata.name !== name) continue;
      // A pod that is being ended and its successor may have one name for a moment; the later one is meant.
      found = worker;
    }
    if (found === undefined) throw new NoSuchContainerError(`pod "${namespace}/${name}" is not on this node`);
    return found;
  }

  /** The operating-system processes of this node's containers. */
  processes(): NodeProcess[] {
    return [...this.workers.values()].flatMap(processesOf);
  }

  /** What runs, with what the machine says that it has used. */
  metered(usageOf: (pids: readonly number[]) => ProcessUsage | undefined): MeteredPod[] {
    return [...this.workers.values()].map((worker) => meteredPod(worker, usageOf));
  }

  private planRefresh(): void {
    this.refreshTimer = this.context.clock.setTimer(VOLUME_REFRESH_MS, () => {
      for (const worker of this.workers.values()) if (worker.sandbox !== undefined) void worker.referencedChanged();
      this.planRefresh();
    });
  }

  private seen(pod: Pod): void {
    const uid = uidOf(pod);
    const worker = this.workers.get(uid);
    if (worker !== undefined) worker.update(pod);
    else this.workers.set(uid, new PodWorker(pod, this.context, () => this.workers.delete(uid)));
  }
}

function uidOf(pod: Pod): string {
  return pod.metadata?.uid ?? '';
}

function meteredPod(worker: PodWorker, usageOf: (pids: readonly number[]) => ProcessUsage | undefined): MeteredPod {
  const { name = '', namespace = '' } = worker.pod.metadata ?? {};
  // A pod of the host network has no device of its own.
  const device = worker.pod.spec?.hostNetwork ? undefined : worker.sandbox?.host.deviceByName('eth0');
  const containers = worker.records.flatMap((record): MeteredContainer[] => {
    const live = worker.container(record.name)?.live;
    if (live === undefined || (record.phase !== 'running' && record.phase !== 'stopping')) return [];
    const { pid, machineProcesses = [] } = live.instance;
    const pids = new Set([...machineProcesses, ...(pid === undefined ? [] : [pid])]);
    const processes = pids.size === 0 ? undefined : usageOf([...pids]);
    return [{ namespace, pod: name, container: record.name, startedAtMs: live.startedAtMs, processes }];
  });
  const packets = device === undefined ? 0 : device.counters.rxPackets + device.counters.txPackets;
  return { uid: uidOf(worker.pod), packets, containers };
}

function processesOf(worker: PodWorker): NodeProcess[] {
  const { name = '', namespace = '' } = worker.pod.metadata ?? {};
  const processes: NodeProcess[] = [];
  for (const record of worker.records) {
    const container = worker.container(record.name)?.live;
    const pid = container?.instance.pid;
    if (container === undefined || pid === undefined) continue;
    const running = record.phase === 'running' || record.phase === 'stopping';
    processes.push({
      name: record.name,
      namespace,
      pod: name,
      container: record.name,
      pid: running ? pid : undefined,
      state: running ? 'running' : record.waiting === undefined ? 'exited' : 'waiting',
      startedAtMs: container.startedAtMs,
      restarts: restartCount(record),
    });
  }
  return processes;
}
