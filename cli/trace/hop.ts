/** A line of a packet's journey, as nodes tell it (`NODE_TRACE`). */
import { isJsonObject, type JsonObject } from '../../shared/api/object.ts';

export interface Hop {
  /** Monotonic; comparable between the processes of one machine. */
  readonly timeUs: number;
  readonly node: string;
  readonly stage: string;
  readonly event: string;
  readonly packet: string;
}

export function decodeHops(reply: JsonObject): Hop[] {
  if (!Array.isArray(reply.hops)) throw new Error('a node answered a trace without hops');
  return reply.hops.map((hop: unknown) => {
    if (!isJsonObject(hop) || typeof hop.timeUs !== 'number')
      throw new Error('a node answered a trace with something else');
    const { timeUs, node, stage, event, packet } = hop;
    return { timeUs, node: String(node), stage: String(stage), event: String(event), packet: String(packet) };
  });
}
