/** `conntrack -L`, in conntrack-tools' format. */
import { formatAddress } from '../../../shared/wire/ip-address.ts';
import * as ipv4 from '../../../shared/wire/ipv4.ts';
import { PROTOCOL_ICMPV6 } from '../../../shared/wire/ipv6.ts';
import type { Conntrack } from '../conntrack.ts';
import type { Connection, Flow } from '../flow.ts';
import { isIcmp } from '../tuple.ts';
import { asText } from './link.ts';

export interface TupleRow {
  readonly src: string;
  readonly dst: string;
  readonly sport?: number;
  readonly dport?: number;
  /** Of ICMP echo. */
  readonly type?: number;
  readonly code?: number;
  readonly id?: number;
  readonly packets: number;
  readonly bytes: number;
}

export interface ConnectionRow {
  /** What the row is of. */
  readonly connection: Connection;
  readonly protocol: string;
  readonly protocolNumber: number;
  /** Seconds until it expires. */
  readonly timeoutSeconds: number;
  /** Of TCP. */
  readonly state?: string;
  readonly original: TupleRow;
  readonly reply: TupleRow;
  readonly replied: boolean;
  readonly assured: boolean;
}

const NAMES: Readonly<Record<number, string>> = {
  [ipv4.PROTOCOL_TCP]: 'tcp',
  [ipv4.PROTOCOL_UDP]: 'udp',
  [ipv4.PROTOCOL_ICMP]: 'icmp',
  [PROTOCOL_ICMPV6]: 'icmpv6',
};

/** Oldest first; expired ones that no sweep has met yet are left out. */
export function connectionRows(conntrack: Conntrack, nowUs: number): ConnectionRow[] {
  const rows: ConnectionRow[] = [];
  for (const connection of conntrack.table.connections()) {
    if (connection.expiresUs > nowUs) rows.push(connectionRow(connection, nowUs));
  }
  return rows;
}

export function connectionRow(connection: Connection, nowUs: number): ConnectionRow {
  const { protocol } = connection;
  return {
    connection,
    protocol: NAMES[protocol] ?? 'unknown',
    protocolNumber: protocol,
    timeoutSeconds: Math.floor((connection.expiresUs - nowUs) / 1_000_000),
    state: protocol === ipv4.PROTOCOL_TCP ? connection.tcpState : undefined,
    original: tupleRow(connection.original, protocol),
    reply: tupleRow(connection.reply, protocol),
    replied: connection.seenReply,
    assured: connection.assured,
  };
}

function tupleRow(flow: Flow, protocol: number): TupleRow {
  const common = {
    src: formatAddress(flow.source),
    dst: formatAddress(flow.destination),
    packets: flow.packets,
    bytes: flow.bytes,
  };
  if (isIcmp(protocol)) return { ...common, type: flow.ports & 255, code: 0, id: flow.sourcePort };
  if (protocol !== ipv4.PROTOCOL_TCP && protocol !== ipv4.PROTOCOL_UDP) return common;
  return { ...common, sport: flow.sourcePort, dport: flow.destinationPort };
}

export function formatConnections(rows: readonly ConnectionRow[]): string {
  return asText(rows.map(formatConnection));
}

function formatConnection(row: ConnectionRow): string {
  return `${lineOf(row, `${row.timeoutSeconds} `)} mark=${row.connection.mark} use=1`;
}

/** The line of `conntrack -E`: without what is the table's own, nor the time of what has none left. */
export function connectionText(row: ConnectionRow): string {
  return lineOf(row, row.timeoutSeconds === 0 ? '' : `${row.timeoutSeconds} `);
}

function lineOf(row: ConnectionRow, timeout: string): string {
  const state = row.state === undefined ? '' : `${row.state} `;
  const parts = [`${row.protocol.padEnd(8)} ${row.protocolNumber} ${timeout}${state}${formatTuple(row.original)}`];
  if (!row.replied) parts.push('[UNREPLIED]');
  parts.push(formatTuple(row.reply));
  if (row.assured) parts.push('[ASSURED]');
  return parts.join(' ');
}

function formatTuple(tuple: TupleRow): string {
  const addresses = `src=${tuple.src} dst=${tuple.dst}`;
  if (tuple.sport !== undefined) return `${addresses} sport=${tuple.sport} dport=${tuple.dport}`;
  return tuple.id === undefined ? addresses : `${addresses} type=${tuple.type} code=${tuple.code} id=${tuple.id}`;
}
