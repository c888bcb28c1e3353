/** What carries the datagrams of the nodes, asked of each. */
import type { Bus } from '../shared/bus/connection.ts';
import type { NodeIo } from '../shared/bus/node-io.ts';

const ANSWER_LIMIT_MS = 3000;

/** Undefined for a node that does not answer. */
export async function askNodeIo(
  bus: Bus,
  nodes: readonly string[],
  request: { readonly batches?: boolean } = {},
): Promise<(NodeIo | undefined)[]> {
  const { NODE_IO } = await import('../shared/bus/node-io.ts');
  const answers = await Promise.allSettled(
    nodes.map((node) => bus.request(NODE_IO, { node }, request, { timeoutMs: ANSWER_LIMIT_MS })),
  );
  return answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : undefined));
}

/** `polled`, or `dgram (why it is no faster one)`. */
export function tierText({ tier, fallback }: NodeIo): string {
  return fallback === undefined ? tier : `${tier} (${fallback})`;
}
