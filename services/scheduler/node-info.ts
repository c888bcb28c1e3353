/** A node as the scheduler sees it: what it has, and what the pods on it (bound or assumed) take. */
import type { Node, Pod, PodAffinityTerm } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../shared/api/live.ts';
import { controllerOf } from '../../shared/api/object.ts';
import { isPodFinished, isTerminating } from '../../shared/api/pod-condition.ts';
import { amountsOf, podRequest, type ResourceAmounts } from './pod-request.ts';

export interface HostPort {
  readonly address: string;
  readonly protocol: string;
  readonly port: number;
}

export interface ScheduledPod {
  readonly pod: Live<Pod>;
  readonly request: ResourceAmounts;
  readonly hostPorts: readonly HostPort[];
}

export interface NodeInfo {
  readonly node: Live<Node>;
  readonly allocatable: ResourceAmounts;
  readonly pods: ReadonlyMap<string, ScheduledPod>;
  readonly requested: ResourceAmounts;
  /** The same with something for pods that request nothing, so that they spread too. */
  readonly reckoned: ResourceAmounts;
  /** Pods that are not on their way out, by the uid of their controller: what spreading counts. */
  readonly byController: ReadonlyMap<string, number>;
  /** Those of `pods` that keep others away by a required anti-affinity. */
  readonly guarding: ReadonlySet<Live<Pod>>;
}

export function requiredAntiAffinity({ spec }: Live<Pod>): readonly PodAffinityTerm[] {
  return spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
}

/** What a pod without requests counts as: milli-cores and bytes, as the original reckons. */
const DEFAULT_REQUEST = { cpu: 100, memory: 200 * 1024 * 1024 };

export function reckonedRequest(request: ResourceAmounts): ResourceAmounts & typeof DEFAULT_REQUEST {
  return { cpu: request.cpu || DEFAULT_REQUEST.cpu, memory: request.memory || DEFAULT_REQUEST.memory };
}

export function scheduledPod(pod: Live<Pod>): ScheduledPod {
  return { pod, request: podRequest(pod.spec), hostPorts: hostPortsOf(pod) };
}

export function hostPortsOf({ spec }: Live<Pod>): HostPort[] {
  return spec.containers.flatMap(({ ports = [] }) =>
    ports
      .filter(({ hostPort }) => (hostPort ?? 0) > 0)
      .map(({ hostIP, protocol, hostPort }) => ({
        address: hostIP || '0.0.0.0',
        protocol: protocol ?? 'TCP',
        port: hostPort ?? 0,
      })),
  );
}

/** All nodes with the pods on them; changed in place by the scheduler's loop as events come and pods are assumed. */
export class ClusterState {
  private readonly infos = new Map<string, MutableNodeInfo>();
  /** Pods by uid: on which node they are counted. */
  private readonly placed = new Map<string, string>();

  nodes(): NodeInfo[] {
    return [...this.infos.values()].flatMap((info) => (info.node === undefined ? [] : [info as NodeInfo]));
  }

  setNode(node: Live<Node>): void {
    const info = this.infoOf(node.metadata.name);
    info.node = node;
    info.allocatable = amountsOf(node.status?.allocatable);
  }

  removeNode(name: string): void {
    const info = this.infos.get(name);
    if (info === undefined) return;
    info.node = undefined;
    if (info.pods.size === 0) this.infos.delete(name);
  }

  /** Counts the pod on its node; a finished one counts nowhere. `nodeName` for a pod that is only assumed there. */
  placePod(pod: Live<Pod>, nodeName = pod.spec.nodeName): void {
    this.removePod(pod.metadata.uid);
    if (!nodeName || isPodFinished(pod)) return;
    count(this.infoOf(nodeName), scheduledPod(pod));
    this.placed.set(pod.metadata.uid, nodeName);
  }

  removePod(uid: string): void {
    const nodeName = this.placed.get(uid);
    if (nodeName === undefined) return;
    this.placed.delete(uid);
    const info = this.infos.get(nodeName);
    const entry = info?.pods.get(uid);
    if (info === undefined || entry === undefined) return;
    info.pods.delete(uid);
    addAmounts(info.requested, entry.request, -1);
    addAmounts(info.reckoned, reckonedRequest(entry.request), -1);
    countSibling(info, entry.pod, -1);
    info.guarding.delete(entry.pod);
    if (info.node === undefined && info.pods.size === 0) this.infos.delete(nodeName);
  }

  private infoOf(name: string): MutableNodeInfo {
    let info = this.infos.get(name);
    if (info === undefined) {
      info = emptyNode(undefined, {});
      this.infos.set(name, info);
    }
    return info;
  }
}

interface MutableNodeInfo {
  /** Undefined while pods name a node that is not known (yet, or any more). */
  node: Live<Node> | undefined;
  allocatable: ResourceAmounts;
  readonly pods: Map<string, ScheduledPod>;
  readonly requested: Record<string, number>;
  readonly reckoned: Record<string, number>;
  readonly byController: Map<string, number>;
  readonly guarding: Set<Live<Pod>>;
}

/** The node as it would be with these pods instead of its own. */
export function withPods({ node, allocatable }: NodeInfo, entries: Iterable<ScheduledPod>): NodeInfo {
  const info = emptyNode(node, allocatable);
  for (const entry of entries) count(info, entry);
  return { ...info, node };
}

function emptyNode(node: Live<Node> | undefined, allocatable: ResourceAmounts): MutableNodeInfo {
  return {
    node,
    allocatable,
    pods: new Map(),
    requested: {},
    reckoned: {},
    byController: new Map(),
    guarding: new Set(),
  };
}

function count(info: MutableNodeInfo, entry: ScheduledPod): void {
  const { pod, request } = entry;
  info.pods.set(pod.metadata.uid, entry);
  addAmounts(info.requested, request, 1);
  addAmounts(info.reckoned, reckonedRequest(request), 1);
  countSibling(info, pod, 1);
  if (requiredAntiAffinity(pod).length > 0) info.guarding.add(pod);
}

function countSibling({ byController }: MutableNodeInfo, pod: Live<Pod>, change: 1 | -1): void {
  const owner = controllerOf(pod)?.uid;
  if (owner === undefined || isTerminating(pod)) return;
  const count = (byController.get(owner) ?? 0) + change;
  if (count === 0) byController.delete(owner);
  else byController.set(owner, count);
}

function addAmounts(sum: Record<string, number>, more: ResourceAmounts, sign: 1 | -1): void {
  for (const [name, amount] of Object.entries(more)) sum[name] = (sum[name] ?? 0) + sign * amount;
}
