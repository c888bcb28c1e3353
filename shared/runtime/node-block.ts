/** How many pods a node holds, and how large a block of addresses it needs for them. */

/** The block of a node is a /24 where that is enough, as in the original. */
const WIDEST_MASK = 24;
/** Network, gateway and broadcast address. */
const NOT_FOR_PODS = 3;

export const DEFAULT_MAX_PODS = 250;
/** As many as a /20 has addresses for. */
export const MOST_PODS_A_NODE = 4000;

/** The prefix length of the smallest block, of at least a /24, with an address for each pod. */
export function nodeMaskSize(maxPods: number): number {
  return Math.min(WIDEST_MASK, 32 - Math.ceil(Math.log2(maxPods + NOT_FOR_PODS)));
}

/** How many nodes a cluster's block (its prefix length) has blocks for. */
export function nodeBlocks(clusterPrefixLength: number, maxPods: number): number {
  return 2 ** Math.max(0, nodeMaskSize(maxPods) - clusterPrefixLength);
}
