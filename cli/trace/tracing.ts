/** Traces on several nodes at once: started before something happens, read after it. */
import type { JsonObject } from '../../shared/api/object.ts';
import type { Bus } from '../../shared/bus/connection.ts';
import { NODE_TRACE } from '../../shared/bus/subjects.ts';
import { decodeHops } from './hop.ts';
import { assembleJourney, type Journey } from './journey.ts';

/** Packets to or from one of the addresses, and all of the connections they belong to. */
export async function traceWhile(
  bus: Bus,
  nodes: readonly string[],
  addresses: readonly string[],
  happening: () => Promise<void>,
): Promise<Journey> {
  const started = await Promise.all(
    nodes.map(async (node) => {
      const { id } = await bus.request(NODE_TRACE, { node }, { action: 'start', addresses: [...addresses] });
      return { node, id };
    }),
  );
  let replies: readonly JsonObject[] = [];
  try {
    await happening();
  } finally {
    replies = await Promise.all(
      started.map(({ node, id }) => bus.request(NODE_TRACE, { node }, { action: 'stop', id })),
    );
  }
  return assembleJourney(replies.map(decodeHops));
}
