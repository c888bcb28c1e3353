/** The subject by which a node says how its sockets do. */
import { number, object, optionalString, string } from './message-fields.ts';
import { requestSubject } from './subjects.ts';

/** What carries a node's datagrams, with what it counted; a request may switch batches on or off. */
export interface NodeIo {
  readonly tier: string;
  /** Why it is no faster one. */
  readonly fallback?: string;
  readonly batches: boolean;
  readonly counters: Readonly<Record<string, number>>;
}

export const NODE_IO = requestSubject<{ readonly batches?: boolean }, NodeIo>(
  'node.{node}.io',
  (value) => {
    const { batches } = object(value, 'an I/O request');
    return typeof batches === 'boolean' ? { batches } : {};
  },
  (value) => {
    const message = object(value, 'an I/O reply');
    return {
      tier: string(message, 'tier'),
      fallback: optionalString(message, 'fallback'),
      batches: message.batches === true,
      counters: numberMap(message.counters),
    };
  },
);

function numberMap(value: unknown): Record<string, number> {
  const message = object(value, 'counters');
  return Object.fromEntries(Object.keys(message).map((field) => [field, number(message, field)]));
}
