/** What a node keeps in the state folder of its cluster. */
import { join } from 'node:path';

/** Holds a folder for each network namespace that the node made, of its name. `node` is the node's own folder. */
export function netnsFolder(node: string): string {
  return join(node, 'netns');
}

/** The folders of a cluster's nodes, in its state folder. */
export function nodesFolder(state: string): string {
  return join(state, 'nodes');
}
