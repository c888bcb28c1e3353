/** What a node's conditions say about it (Kubernetes documentation, "Node Status"). */
import type { Node, NodeCondition } from 'kubernetes-types/core/v1.js';

export function nodeCondition(node: Node, type: string): NodeCondition | undefined {
  return node.status?.conditions?.find((condition) => condition.type === type);
}

export function isNodeReady(node: Node): boolean {
  return nodeCondition(node, 'Ready')?.status === 'True';
}
