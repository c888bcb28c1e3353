import type { NodeDatapath } from '../../datapath/path.ts';

/** The number of the pod's device on the node: unique there, and kept as long as the pod. */
export function endpointId({ pods }: Pick<NodeDatapath, 'pods'>, address: number): number {
  for (const pod of pods.values()) if (pod.address === address) return pod.hostDevice.index;
  return 0;
}
