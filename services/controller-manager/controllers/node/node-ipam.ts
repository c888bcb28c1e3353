/**
 * Node IPAM: a block of pod addresses for each node, for as long as the node exists. One reconcile looks at all nodes, so two
 * nodes that arrive together cannot get the same block.
 */
import type { Node } from 'kubernetes-types/core/v1.js';
import { ipv6At } from '../../../../shared/api/ipv6-network.ts';
import { type Live, timeMs } from '../../../../shared/api/live.ts';
import { isTerminating } from '../../../../shared/api/pod-condition.ts';
import { NODES } from '../../../../shared/api/resources.ts';
import type { Action, Outcome } from '../../action.ts';
import { blockAt, blockCount, blockIndex, parseCidr } from '../../pod-cidr.ts';

export interface NodeIpamState {
  readonly nodes: readonly Live<Node>[];
  /** `10.244.0.0/16` */
  readonly clusterCidr: string;
  /** `fd00:10:244::/56` of a dual-stack cluster: a node has the same place in both. */
  readonly clusterCidrIpv6?: string;
  /** 24 */
  readonly nodeMaskSize: number;
}

export function reconcileNodeIpam({ nodes, clusterCidr, clusterCidrIpv6, nodeMaskSize }: NodeIpamState): Outcome {
  const cluster = parseCidr(clusterCidr);
  const taken = new Set<number>();
  for (const { spec } of nodes) {
    const index = spec.podCIDR === undefined ? undefined : blockIndex(cluster, spec.podCIDR, nodeMaskSize);
    if (index !== undefined) taken.add(index);
  }
  const waiting = nodes.filter((node) => !node.spec.podCIDR && !isTerminating(node)).sort(byArrival);
  return {
    actions: waiting.map((node) => assign(node, { cluster, maskSize: nodeMaskSize, ipv6: clusterCidrIpv6 }, taken)),
  };
}

function byArrival(a: Live<Node>, b: Live<Node>): number {
  return (
    timeMs(a.metadata.creationTimestamp) - timeMs(b.metadata.creationTimestamp) ||
    numberedOrder(a.metadata.name, b.metadata.name)
  );
}

/** `worker-2` before `worker-10`, without the 3 MB of collation data that `localeCompare` brings in. */
function numberedOrder(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : 1);
}

interface Blocks {
  readonly cluster: ReturnType<typeof parseCidr>;
  readonly maskSize: number;
  readonly ipv6: string | undefined;
}

function assign(node: Live<Node>, { cluster, maskSize, ipv6 }: Blocks, taken: Set<number>): Action {
  const { name, uid, resourceVersion } = node.metadata;
  const index = freeIndex(name, blockCount(cluster, maskSize), taken);
  if (index === undefined) {
    return {
      kind: 'event',
      about: { apiVersion: 'v1', kind: 'Node', name, uid },
      type: 'Normal',
      reason: 'CIDRNotAvailable',
      message: `Node ${name} status is now: CIDRNotAvailable`,
    };
  }
  taken.add(index);
  const podCIDR = blockAt(cluster, index, maskSize);
  const podCIDRs = ipv6 === undefined ? [podCIDR] : [podCIDR, ipv6BlockAt(ipv6, index)];
  const body = { metadata: { uid, resourceVersion }, spec: { podCIDR, podCIDRs } };
  return { kind: 'patch', resource: NODES, name, namespace: undefined, type: 'merge', body };
}

/** A /64, as a link has it. */
function ipv6BlockAt(cluster: string, index: number): string {
  return `${ipv6At(cluster, BigInt(index) << 64n)}/64`;
}

/**
 * worker-3 gets block 3 when that is free: nodes register at the same moment, and a lab's addresses should not depend on which
 * was first. Block 0 is left for a control-plane node, as kubeadm's first node has it; it is used when all others are taken.
 */
function freeIndex(name: string, count: number, taken: ReadonlySet<number>): number | undefined {
  const wanted = Number(/(\d+)$/.exec(name)?.[1] ?? Number.NaN);
  if (wanted < count && !taken.has(wanted)) return wanted;
  for (let index = 1; index < count; index++) if (!taken.has(index)) return index;
  return count > 0 && !taken.has(0) ? 0 : undefined;
}
