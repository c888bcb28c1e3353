/** Deletes the connections that a change of rules leaves on a backend that is gone (`conntrack -D`). */
import { PROTOCOL_NUMBERS } from '../../shared/rules/rule.ts';
import type { ForgottenConnections } from '../../shared/rules/transaction.ts';
import type { Conntrack } from './conntrack.ts';
import type { Connection } from './flow.ts';

/** How many there were. */
export function forgetConnections(conntrack: Conntrack, forget: readonly ForgottenConnections[]): number {
  if (forget.length === 0) return 0;
  return conntrack.delete((connection) => forget.some((match) => fits(connection, match)));
}

function fits(connection: Connection, match: ForgottenConnections): boolean {
  const { original, reply } = connection;
  return (
    connection.protocol === PROTOCOL_NUMBERS[match.protocol] &&
    same(original.destination >>> 0, match.originalDestination) &&
    same(original.destinationPort, match.originalDestinationPort) &&
    same(reply.source >>> 0, match.replySource)
  );
}

function same(value: number, wanted: number | undefined): boolean {
  return wanted === undefined || value === wanted;
}
