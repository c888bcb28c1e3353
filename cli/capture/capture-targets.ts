/** What each node is asked to capture. */
import type { Pod } from 'kubernetes-types/core/v1.js';
import type { CaptureStreamRequest } from '../../shared/bus/subjects.ts';
import { UserError } from '../user-error.ts';

export interface CaptureSelection {
  readonly nodes: readonly string[];
  /** `name` or `namespace/name`. */
  readonly pods: readonly string[];
  readonly namespace: string;
  readonly device?: string;
  readonly filter: string;
  readonly snapBytes?: number;
}

export interface NodeTarget {
  readonly node: string;
  readonly request: CaptureStreamRequest;
}

/**
 * The nodes that were named, or all when nothing was; the pods where they run. Every other node shows what it drops of the
 * pods' packets: a policy of the other end is asked there. Throws UserError.
 */
export async function captureTargets(
  selection: CaptureSelection,
  runningNodes: readonly string[],
  findPod: (name: string, namespace: string) => Promise<Pod>,
): Promise<NodeTarget[]> {
  for (const node of selection.nodes) {
    if (runningNodes.includes(node)) continue;
    throw new UserError(`no node '${node}' runs: captures can be made on ${runningNodes.join(', ') || 'none'}`);
  }
  const pods = await Promise.all(selection.pods.map((name) => placeOf(name, selection.namespace, findPod)));
  const wholeNodes = selection.nodes.length + pods.length === 0 ? runningNodes : selection.nodes;
  const addresses = pods.map(({ address }) => address);
  return runningNodes.flatMap((node) => {
    const own = pods.filter((pod) => pod.node === node).map(({ id }) => id);
    const whole = wholeNodes.includes(node);
    if (!whole && pods.length === 0) return [];
    const { device, filter, snapBytes } = selection;
    const what = { node: whole, pods: own, device, filter, snapBytes, drops: true, dropsOf: addresses };
    return [{ node, request: { kind: 'capture', ...what } as const }];
  });
}

async function placeOf(
  text: string,
  defaultNamespace: string,
  findPod: (name: string, namespace: string) => Promise<Pod>,
): Promise<{ id: string; node: string; address: string }> {
  const [namespace, name] = text.includes('/') ? (text.split('/', 2) as [string, string]) : [defaultNamespace, text];
  const pod = await findPod(name, namespace);
  const node = pod.spec?.nodeName;
  const address = pod.status?.podIP;
  if (pod.spec?.hostNetwork === true) {
    throw new UserError(`pod ${namespace}/${name} is on the network of its node: podwire capture --node ${node}`);
  }
  if (node === undefined || address === undefined) {
    throw new UserError(`pod ${namespace}/${name} has no address yet: kubectl describe pod ${name} -n ${namespace}`);
  }
  return { id: `${namespace}/${name}`, node, address };
}
