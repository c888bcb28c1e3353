/** What the controllers of nodes and of pods on lost nodes watch. */
import type { Lease } from 'kubernetes-types/coordination/v1.js';
import type { Node, Pod } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../shared/api/live.ts';
import { isNodeReady } from '../../../shared/api/node-condition.ts';
import { LEASES, NODES, PODS } from '../../../shared/api/resources.ts';
import type { Clock } from '../../../shared/runtime/clock.ts';
import { nodeMaskSize } from '../../../shared/runtime/node-block.ts';
import { type Controller, keyOf, keysFrom, splitKey } from '../controller.ts';
import type { Informers } from '../informers.ts';
import { type Disruption, disruptions, zoneOf } from './node/disruption.ts';
import { type NodeIpamState, reconcileNodeIpam } from './node/node-ipam.ts';
import { type NodeLifecycleState, reconcileNodeLifecycle } from './node/node-lifecycle.ts';
import { type PodGcState, reconcilePodGc } from './node/pod-gc.ts';
import { reconcileTaintEviction, type TaintEvictionState } from './node/taint-eviction.ts';

/** Controllers that look at everything at once have one key. */
const ALL = '/all';
const LEASE_NAMESPACE = 'kube-node-lease';

export interface NodeControllerOptions {
  readonly clock: Clock;
  readonly graceMs: number;
  readonly podCidr: string;
  /** Of a node: its block is large enough for them. */
  readonly maxPods: number;
  readonly podCidrIpv6?: string;
}

interface Heartbeat {
  readonly text: string;
  readonly atMs: number;
}

/** Remembers when each node's Lease was last seen to change, on this process' clock. */
class Heartbeats {
  private readonly seen = new Map<string, Heartbeat>();

  /** `text` identifies the renewal; the time is that of the first look at it. */
  lastMs(node: string, text: string, nowMs: number): number {
    const before = this.seen.get(node);
    if (before !== undefined && before.text === text) return before.atMs;
    this.seen.set(node, { text, atMs: nowMs });
    return nowMs;
  }

  forget(node: string): void {
    this.seen.delete(node);
  }
}

export function nodeLifecycleController(
  informers: Informers,
  { clock, graceMs }: NodeControllerOptions,
): Controller<NodeLifecycleState> {
  const nodes = informers.of<Live<Node>>(NODES);
  const leases = informers.of<Live<Lease>>(LEASES);
  const pods = informers.of<Live<Pod>>(PODS);
  const heartbeats = new Heartbeats();
  const lastHeartbeatMs = (node: Live<Node>): number => {
    const { name, uid } = node.metadata;
    const renewal = String(leases.get(name, LEASE_NAMESPACE)?.spec.renewTime ?? uid);
    return heartbeats.lastMs(name, renewal, clock.nowMs());
  };
  const isSilent = (node: Live<Node>): boolean => clock.nowMs() - lastHeartbeatMs(node) > graceMs;
  const isWell = (node: Live<Node>): boolean => isNodeReady(node) && !isSilent(node);
  const zones = (): ReadonlyMap<string, Disruption> =>
    disruptions(nodes.list().map((node) => ({ zone: zoneOf(node), healthy: isWell(node) })));
  let seen = '';
  return {
    name: 'node-controller',
    sources: [
      keysFrom(nodes, (node) => {
        const now = [...zones()].join();
        if (now === seen) return [keyOf(node)];
        seen = now;
        return nodes.list().map(keyOf);
      }),
      keysFrom(leases, ({ metadata }) => (metadata.namespace === LEASE_NAMESPACE ? [`/${metadata.name}`] : [])),
      // A kubelet that comes back late may still say that its pods are ready.
      keysFrom(pods, ({ spec }) => (spec.nodeName ? [`/${spec.nodeName}`] : [])),
    ],
    gather(key) {
      const { name } = splitKey(key);
      const node = nodes.get(name);
      if (node === undefined) {
        heartbeats.forget(name);
        return undefined;
      }
      // Of a node that is well nothing else is asked: a renewed Lease comes by here every second.
      const well = isWell(node);
      const concerned = well ? [] : pods.list().filter(({ spec }) => spec.nodeName === name);
      const disruption = (well ? undefined : zones().get(zoneOf(node))) ?? 'none';
      return { node, pods: concerned, lastHeartbeatMs: lastHeartbeatMs(node), graceMs, disruption };
    },
    reconcile: reconcileNodeLifecycle,
  };
}

export function taintEvictionController(informers: Informers): Controller<TaintEvictionState> {
  const nodes = informers.of<Live<Node>>(NODES);
  const pods = informers.of<Live<Pod>>(PODS);
  return {
    name: 'taint-eviction-controller',
    sources: [
      keysFrom(pods, (pod) => (pod.spec.nodeName ? [keyOf(pod)] : [])),
      keysFrom(nodes, ({ metadata, spec }) => {
        if (!spec.taints?.some(({ effect }) => effect === 'NoExecute')) return [];
        return pods
          .list()
          .filter((pod) => pod.spec.nodeName === metadata.name)
          .map(keyOf);
      }),
    ],
    gather(key) {
      const { namespace, name } = splitKey(key);
      const pod = pods.get(name, namespace);
      return pod === undefined ? undefined : { pod, node: nodes.get(pod.spec.nodeName ?? '') };
    },
    reconcile: reconcileTaintEviction,
  };
}

export function nodeIpamController(
  informers: Informers,
  { podCidr, podCidrIpv6, maxPods }: NodeControllerOptions,
): Controller<NodeIpamState> {
  const nodes = informers.of<Live<Node>>(NODES);
  return {
    name: 'node-ipam-controller',
    concurrency: 1,
    sources: [keysFrom(nodes, () => [ALL])],
    gather: () => ({
      nodes: nodes.list(),
      clusterCidr: podCidr,
      clusterCidrIpv6: podCidrIpv6,
      nodeMaskSize: nodeMaskSize(maxPods),
    }),
    reconcile: reconcileNodeIpam,
  };
}

/** The original's. */
const FINISHED_PODS_LIMIT = 12_500;
const GC_GATHER_MS = 200;

export function podGcController(
  informers: Informers,
  { clock, graceMs }: NodeControllerOptions,
): Controller<PodGcState> {
  const nodes = informers.of<Live<Node>>(NODES);
  const pods = informers.of<Live<Pod>>(PODS);
  let missingSinceMs = new Map<string, number>();
  return {
    name: 'pod-garbage-collector',
    concurrency: 1,
    gatherMs: GC_GATHER_MS,
    sources: [keysFrom(nodes, () => [ALL]), keysFrom(pods, () => [ALL])],
    gather() {
      const nodeNames = new Set(nodes.list().map(({ metadata }) => metadata.name));
      const named = new Set(pods.list().flatMap(({ spec }) => spec.nodeName || []));
      const missing = [...named].filter((name) => !nodeNames.has(name));
      missingSinceMs = new Map(missing.map((name) => [name, missingSinceMs.get(name) ?? clock.nowMs()]));
      return {
        pods: pods.list(),
        nodeNames,
        missingSinceMs,
        quarantineMs: graceMs,
        finishedLimit: FINISHED_PODS_LIMIT,
      };
    },
    reconcile: reconcilePodGc,
  };
}
