/**
 * The scheduler's loop: pods without a node are placed one after the other on a picture of the cluster that already counts the
 * pods placed before (assumed), while their bindings are still on the way to the apiserver.
 */
import type { Namespace, Node, Pod } from 'kubernetes-types/core/v1.js';
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.js';
import type { Live } from '../../shared/api/live.ts';
import { isPodFinished, isTerminating, podCondition } from '../../shared/api/pod-condition.ts';
import { PODS } from '../../shared/api/resources.ts';
import { formatTimestamp } from '../../shared/api/timestamp.ts';
import type { ApiClient } from '../../shared/bus/api-client.ts';
import type { EventRecorder } from '../../shared/bus/event-recorder.ts';
import type { Informer } from '../../shared/bus/informer.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Logger } from '../../shared/runtime/log.ts';
import { evictVictims } from './evict-victims.ts';
import { ClusterState } from './node-info.ts';
import { Nominations } from './nominations.ts';
import { podRequest } from './pod-request.ts';
import { priorityOf } from './preemption.ts';
import { type Decision, schedule } from './schedule.ts';
import { SchedulingQueue } from './scheduling-queue.ts';

export const SCHEDULER_NAME = 'default-scheduler';

export interface SchedulerOptions {
  readonly api: ApiClient;
  readonly events: EventRecorder;
  readonly pods: Informer<Live<Pod>>;
  readonly nodes: Informer<Live<Node>>;
  readonly namespaces: Informer<Live<Namespace>>;
  readonly budgets: Informer<Live<PodDisruptionBudget>>;
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

type Unschedulable = Extract<Decision, { kind: 'unschedulable' }>;

/** Bindings under way at a time; beyond it placing waits. */
const MAX_BINDINGS = 64;

export class Scheduler {
  readonly counters: SchedulerCounters = { scheduled: 0, unschedulable: 0, failed: 0 };
  private readonly options: SchedulerOptions;
  private readonly cluster = new ClusterState();
  private readonly nominations = new Nominations();
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
    if (pod.status?.nominatedNodeName) this.nominations.set(pod, pod.status.nominatedNodeName);
    this.queue.add(uid, priorityOf(pod));
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
    this.nominations.remove(uid);
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
    const placement = {
      pod,
      request: podRequest(pod.spec),
      nodes: this.cluster.nodes(),
      nominated: this.nominations.before(pod),
      namespaces,
    };
    const decision = schedule(placement, this.options.random, this.options.budgets.list());
    if (decision.kind === 'bind') {
      this.assumed.add(pod.metadata.uid);
      this.pending.delete(pod.metadata.uid);
      this.nominations.remove(pod.metadata.uid);
      this.cluster.placePod(pod, decision.nodeName);
      this.bindings++;
      void this.bind(pod, decision.nodeName, attempts);
      return;
    }
    this.counters.unschedulable++;
    this.queue.putBack(pod.metadata.uid, priorityOf(pod), attempts, 'unschedulable');
    this.options.events.record(about(pod), 'Warning', 'FailedScheduling', decision.message);
    void this.makeRoom(pod, decision);
  }

  /** The pod says where it is to go before anybody leaves for it. */
  private async makeRoom(pod: Live<Pod>, decision: Unschedulable): Promise<void> {
    const { message, preemption, victimsAreLeaving } = decision;
    const before = victimsAreLeaving ? this.nominations.nodeOf(pod.metadata.uid) : undefined;
    const nodeName = preemption?.nodeName ?? before;
    if (nodeName === undefined) this.nominations.remove(pod.metadata.uid);
    else this.nominations.set(pod, nodeName);
    await this.noteUnschedulable(pod, message, nodeName);
    if (preemption === undefined) return;
    for (const pushed of this.nominations.below(priorityOf(pod), preemption.nodeName)) {
      this.nominations.remove(pushed.metadata.uid);
      await this.patchStatus(pushed, { nominatedNodeName: null });
    }
    await evictVictims(this.options, pod, preemption);
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
    this.queue.putBack(uid, priorityOf(pod), attempts, 'error');
  }

  /** The PodScheduled condition, which `kubectl describe` shows, and where room is being made. */
  private async noteUnschedulable(pod: Live<Pod>, message: string, nominated: string | undefined): Promise<void> {
    const before = podCondition(pod, 'PodScheduled');
    const known = pod.status?.nominatedNodeName || undefined;
    if (before?.status === 'False' && before.message === message && known === nominated) return;
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
      lastProbeTime: null,
      lastTransitionTime: formatTimestamp(this.options.clock.nowMs()),
    };
    await this.patchStatus(pod, { conditions: [condition], nominatedNodeName: nominated ?? null });
  }

  private async patchStatus(pod: Live<Pod>, status: object): Promise<void> {
    const { api, log } = this.options;
    const { name, namespace, uid } = pod.metadata;
    const body = { metadata: { uid }, status };
    try {
      await api.patch(PODS, name, namespace, { type: 'strategic', body, subresource: 'status' });
    } catch (error) {
      log.debug({ error, pod: `${namespace ?? ''}/${name}` }, 'the status of a pod that waits could not be written');
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
