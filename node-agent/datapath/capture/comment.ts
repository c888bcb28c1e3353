/** What a capture says about a packet beside its bytes: its connection, its translation, and why it was dropped. */
import type { DropReason } from '../../../shared/netstack/hooks.ts';
import { formatAddress, formatEndpoint } from '../../../shared/wire/ip-address.ts';
import * as ipv4 from '../../../shared/wire/ipv4.ts';
import type { Connection, Flow } from '../flow.ts';

/** `TCP ESTABLISHED, original direction; DNAT 10.96.12.3:80 -> 10.244.2.5:8080`. */
export function connectionComment(flow: Flow): string {
  const { connection, isReply } = flow;
  const parts = [`${stateOf(connection)}, ${isReply ? 'reply' : 'original'} direction`];
  const { original, reply } = connection;
  if (
    original.destination !== reply.source ||
    (hasPorts(connection) && original.destinationPort !== reply.sourcePort)
  ) {
    const before = endText(connection, original.destination, original.destinationPort);
    parts.push(`DNAT ${before} -> ${endText(connection, reply.source, reply.sourcePort)}`);
  }
  if (
    original.source !== reply.destination ||
    (hasPorts(connection) && original.sourcePort !== reply.destinationPort)
  ) {
    const before = endText(connection, original.source, original.sourcePort);
    parts.push(`SNAT ${before} -> ${endText(connection, reply.destination, reply.destinationPort)}`);
  }
  return parts.join('; ');
}

/** `dropped at worker-1 forward: policy-denied by NetworkPolicy default/deny-all`. */
export function dropComment(reason: DropReason, where: string, connection: string): string {
  const cause = reason.cause === undefined ? '' : ` by ${reason.cause}`;
  return [`dropped at ${where}: ${reason.code}${cause}`, connection].filter(Boolean).join('; ');
}

function stateOf({ protocol, tcpState, seenReply }: Connection): string {
  if (protocol === ipv4.PROTOCOL_TCP) return `TCP ${tcpState}`;
  const name =
    protocol === ipv4.PROTOCOL_UDP ? 'UDP' : protocol === ipv4.PROTOCOL_ICMP ? 'ICMP' : `protocol ${protocol}`;
  return `${name} ${seenReply ? 'ESTABLISHED' : 'NEW'}`;
}

function hasPorts({ protocol }: Connection): boolean {
  return protocol === ipv4.PROTOCOL_TCP || protocol === ipv4.PROTOCOL_UDP;
}

function endText(connection: Connection, address: number, port: number): string {
  return hasPorts(connection) ? formatEndpoint(address, port) : formatAddress(address);
}
