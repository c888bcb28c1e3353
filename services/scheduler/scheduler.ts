/**
 * The scheduler's loop: pods without a node are placed one after the other on a picture of the cluster that already counts the
 * pods placed before (assumed), while their bindings are still on the way to the apiserver.
 */
import type { Namespace, Node, Pod } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../shared/api/live.ts';
import { isPodFinished, isTerminating, podCondition } from '../../shared/api/pod-condition.ts';
import { PODS } from '../../shared/api/resources.ts';
import { formatTimestamp } from '../../shared/api/timestamp.ts';
import type { ApiClient } from '../../shared/bus/api-client.ts';
import type { EventRecorder } from '../../shared/bus/event-recorder.ts';
import type { Informer } from '../../shared/bus/informer.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Logger } from '../../shared/runtime/log.ts';
import { ClusterState } from './node-info.ts';
import { podRequest } from './pod-request.ts';
import { schedule } from './schedule.ts';
import { SchedulingQueue } from './scheduling-queue.ts';

export const SCHEDULER_NAME = 'default-scheduler';

export interface SchedulerOptions {
  readonly api: ApiClient;
  readonly events: EventRecorder;
  readonly pods: Informer<Live<Pod>>;
  readonly nodes: Informer<Live<Node>>;
  readonly namespaces: Informer<Live<Namespace>>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** The first back-off of a pod that did not fit; 1000 by default. */
  readonly firstBackoffMs?: number;
}

export interface SchedulerCounters {
  scheduled: number;
  unschedulable: number;
  failed: number;
}

/** Bindings under way at a time; beyond it placing waits. */
const MAX_BINDINGS = 64;

export class Scheduler {
  readonly counters: SchedulerCounters = { scheduled: 0, unschedulable: 0, failed: 0 };
  private readonly options: SchedulerOptions;
  private readonly cluster = new ClusterState();
  private readonly queue: SchedulingQueue;
  private readonly pending = new Map<string, Live<Pod>>();
  private readonly assumed = new Set<string>();
  private bindings = 0;
  private turnPlanned = false;
  private stopped = false;

  constructor(options: SchedulerOptions) {
    this.options = options;
    const { clock, firstBackoffMs } = options;
    this.queue = new SchedulingQueue({ clock, firstBackoffMs, onActive: () => this.planTurn() });
  }

  /** Pods that wait for a node. */
  get pendingCount(): number {
    return this.queue.size;
  }

  /** Informers must be synced. */
  start(): void {
    this.options.nodes.subscribe({
      added: (node) => this.nodeChanged(node),
      updated: (node, old) => this.nodeChanged(node, old),
      deleted: ({ metadata }) => this.cluster.removeNode(metadata.name),
    });
    this.options.pods.subscribe({
      added: (pod) => this.podChanged(pod),
      updated: (pod) => this.podChanged(pod),
      deleted: (pod) => this.podDeleted(pod),
    });
  }

  stop(): void {
    this.stopped = true;
    this.queue.stop();
  }

  private nodeChanged(node: Live<Node>, old?: Live<Node>): void {
    this.cluster.setNode(node);
    if (old === undefined || schedulingFacts(node) !== schedulingFacts(old)) this.queue.clusterChanged();
  }

  private podChanged(pod: Live<Pod>): void {
    const { uid } = pod.metadata;
    if (pod.spec.nodeName) {
      this.forget(uid);
      this.assumed.delete(uid);
      this.cluster.placePod(pod);
      // A finished or leaving pod makes room; a new one may be what another's affinity waits for.
      this.queue.clusterChanged();
      return;
    }
    if (isPodFinished(pod) || isTerminating(pod) || !this.isOurs(pod)) {
      this.forget(uid);
      return;
    }
    if ((pod.spec.schedulingGates ?? []).length > 0 || this.assumed.has(uid)) return;
    this.pending.set(uid, pod);
    this.queue.add(uid, pod.spec.priority ?? 0);
  }

  private podDeleted(pod: Live<Pod>): void {
    this.forget(pod.metadata.uid);
    this.assumed.delete(pod.metadata.uid);
    this.cluster.removePod(pod.metadata.uid);
    this.queue.clusterChanged();
  }

  private isOurs({ spec }: Live<Pod>): boolean {
    return (spec.schedulerName ?? SCHEDULER_NAME) === SCHEDULER_NAME;
  }

  private forget(uid: string): void {
    this.pending.delete(uid);
    this.queue.remove(uid);
  }

  private planTurn(): void {
    if (this.turnPlanned || this.stopped) return;
    this.turnPlanned = true;
    // After the events of this turn: a deployment's pods are then seen together.
    setImmediate(() => {
      this.turnPlanned = false;
      this.placeWaiting();
    });
  }

  private placeWaiting(): void {
    while (!this.stopped && this.bindings < MAX_BINDINGS) {
      const next = this.queue.take();
      if (next === undefined) return;
      const pod = this.pending.get(next.uid);
      if (pod !== undefined) this.place(pod, next.attempts);
    }
  }

  private place(pod: Live<Pod>, attempts: number): void {
    const namespaces = new Map(this.options.namespaces.list().map((one) => [one.metadata.name, one]));
    const placement = { pod, request: podRequest(pod.spec), nodes: this.cluster.nodes(), namespaces };
    const decision = schedule(placement, this.options.random);
    if (decision.kind === 'bind') {
      this.assumed.add(pod.metadata.uid);
      this.pending.delete(pod.metadata.uid);
      this.cluster.placePod(pod, decision.nodeName);
      this.bindings++;
      void this.bind(pod, decision.nodeName, attempts);
      return;
    }
    this.counters.unschedulable++;
    this.queue.putBack(pod.metadata.uid, pod.spec.priority ?? 0, attempts, 'unschedulable');
    this.options.events.record(about(pod), 'Warning', 'FailedScheduling', decision.message);
    void this.noteUnschedulable(pod, decision.message);
  }

  private async bind(pod: Live<Pod>, nodeName: string, attempts: number): Promise<void> {
    const { api, events, log } = this.options;
    const { name, namespace, uid } = pod.metadata;
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, namespace, uid },
      target: { apiVersion: 'v1', kind: 'Node', name: nodeName },
    };
    try {
      await api.subresource(PODS, name, namespace, 'binding', binding);
      this.counters.scheduled++;
      events.record(
        about(pod),
        'Normal',
        'Scheduled',
        `Successfully assigned ${namespace ?? ''}/${name} to ${nodeName}`,
      );
    } catch (error) {
      this.counters.failed++;
      this.bindingFailed(pod, attempts);
      log.debug({ error, pod: `${namespace ?? ''}/${name}`, node: nodeName }, 'binding failed');
    } finally {
      this.bindings--;
      this.planTurn();
    }
  }

  private bindingFailed(pod: Live<Pod>, attempts: number): void {
    const { uid, name, namespace } = pod.metadata;
    const present = this.options.pods.get(name, namespace);
    if (present?.spec.nodeName) return;
    this.assumed.delete(uid);
    this.cluster.removePod(uid);
    // Its own picture decides: an apiserver that does not know the pod may only not know it yet.
    if (present?.metadata.uid !== uid) return;
    this.pending.set(uid, present);
    this.queue.putBack(uid, pod.spec.priority ?? 0, attempts, 'error');
  }

  /** The PodScheduled condition, which `kubectl describe` shows. */
  private async noteUnschedulable(pod: Live<Pod>, message: string): Promise<void> {
    const before = podCondition(pod, 'PodScheduled');
    if (before?.status === 'False' && before.message === message) return;
    const { api, clock, log } = this.options;
    const { name, namespace, uid } = pod.metadata;
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
      lastProbeTime: null,
      lastTransitionTime: formatTimestamp(clock.nowMs()),
    };
    const body = { metadata: { uid }, status: { conditions: [condition] } };
    try {
      await api.patch(PODS, name, namespace, { type: 'strategic', body, subresource: 'status' });
    } catch (error) {
      log.debug({ error, pod: `${namespace ?? ''}/${name}` }, 'the condition PodScheduled could not be written');
    }
  }
}

function about({ metadata: { name, namespace, uid } }: Live<Pod>) {
  return { apiVersion: 'v1', kind: 'Pod', name, namespace, uid };
}

/** What of a node decides about placement; heartbeats do not. */
function schedulingFacts({ metadata, spec, status }: Live<Node>): string {
  return JSON.stringify([metadata.labels, spec.taints, spec.unschedulable, status?.allocatable]);
}
