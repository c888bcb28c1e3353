/** The segments of a connection: header, options, data from the send buffer, and out. */
import * as tcp from '../../wire/tcp.ts';
import * as drop from '../drop-reasons.ts';
import type { TcpConnection } from './connection.ts';

/** Options of a SYN at their longest: MSS, SACK permitted, timestamps, window scale. */
const SYN_OPTIONS_BYTES = 4 + 4 + tcp.TIMESTAMPS_BYTES + 4;
const MAX_WINDOW_FIELD = 0xffff;

const MAX_SACK_BLOCKS_BESIDE_TIMESTAMPS = 3;

/** What `sackOptionBytes` found last; used at once, by the segment being made. */
let sackBlocks = 0;
const sackEdges = new Uint32Array(2 * tcp.MAX_SACK_BLOCKS);

/** Sends a SYN, with ACK when it answers one. The window of a SYN is not scaled (RFC 7323 section 2.2). */
export function sendSyn(connection: TcpConnection, acknowledges: boolean): void {
  const { host, receiver, sender } = connection;
  const { memory } = host;
  const packet = memory.allocate(tcp.HEADER_BYTES + SYN_OPTIONS_BYTES);
  if (packet === undefined) {
    host.countDrop(drop.NO_PACKET_MEMORY);
    return;
  }
  const { view } = memory;
  let at = packet.offset + tcp.HEADER_BYTES;
  at = tcp.writeMss(view, at, connection.path.mssBytes());
  if (connection.sackEnabled) at = tcp.writeSackPermitted(view, at);
  if (connection.timestampsEnabled) {
    at = tcp.writeTimestamps(view, at, connection.timestampNow(), acknowledges ? connection.timestampRecent : 0);
  }
  if (connection.windowScalingEnabled) at = tcp.writeWindowScale(view, at, receiver.windowShift);
  packet.length = at - packet.offset;
  const acknowledgement = acknowledges ? receiver.next : 0;
  const flags = acknowledges ? tcp.SYN | tcp.ACK : tcp.SYN;
  const window = Math.min(receiver.windowBytes(), MAX_WINDOW_FIELD);
  const { localPort, remotePort } = connection;
  tcp.encode(
    view,
    packet.offset,
    localPort,
    remotePort,
    sender.initialSequence,
    acknowledgement,
    packet.length,
    flags,
    window,
  );
  if (acknowledges) receiver.acknowledgementSent(receiver.next, window);
  connection.transmit(packet);
}

/**
 * Sends one segment: `length` bytes from `position` of the send buffer, under `sequence`. What is to be acknowledged rides
 * along. A length above the MSS makes a super-segment, for devices that take them.
 */
export function sendSegment(
  connection: TcpConnection,
  flags: number,
  sequence: number,
  position: number,
  length: number,
): void {
  const { host, receiver, sender } = connection;
  const { memory } = host;
  const { view } = memory;
  const sackBytes = sackOptionBytes(connection);
  const optionBytes = sackBytes + (connection.timestampsEnabled ? tcp.TIMESTAMPS_BYTES : 0);
  const header = tcp.HEADER_BYTES + optionBytes;
  const packet = memory.allocate(header + length);
  if (packet === undefined) {
    host.countDrop(drop.NO_PACKET_MEMORY);
    return;
  }
  if (optionBytes > 0) writeOptions(connection, packet.offset + tcp.HEADER_BYTES, sackBytes);
  const acknowledgement = receiver.next;
  const { localPort, remotePort } = connection;
  const window = receiver.windowField();
  tcp.encode(view, packet.offset, localPort, remotePort, sequence, acknowledgement, header, flags, window);
  if (length > 0) sender.buffer.copyTo(memory.bytes, packet.offset + header, position, length);
  if (length > sender.mssBytes) packet.segmentBytes = sender.mssBytes - sackBytes;
  receiver.acknowledgementSent(
    acknowledgement,
    connection.windowScalingEnabled ? window << receiver.windowShift : window,
  );
  connection.transmit(packet);
}

/** An acknowledgement of what was received, by itself. */
export function sendAcknowledgement(connection: TcpConnection): void {
  sendSegment(connection, tcp.ACK, connection.sender.next, 0, 0);
}

/** A reset at the next sequence number, where the peer is sure to take it. */
export function sendReset(connection: TcpConnection): void {
  sendSegment(connection, tcp.RST | tcp.ACK, connection.sender.next, 0, 0);
}

/** What the SACK blocks that are to be reported now take from a segment. */
export function sackOptionBytes(connection: TcpConnection): number {
  if (!connection.sackEnabled || !connection.receiver.outOfOrder.hasReport) return 0;
  const limit = connection.timestampsEnabled ? MAX_SACK_BLOCKS_BESIDE_TIMESTAMPS : tcp.MAX_SACK_BLOCKS;
  sackBlocks = connection.receiver.outOfOrder.sackBlocks(sackEdges, limit);
  return sackBlocks === 0 ? 0 : 4 + 8 * sackBlocks;
}

function writeOptions(connection: TcpConnection, offset: number, sackBytes: number): void {
  const { view } = connection.host.memory;
  let at = offset;
  if (connection.timestampsEnabled) {
    at = tcp.writeTimestamps(view, at, connection.timestampNow(), connection.timestampRecent);
  }
  if (sackBytes === 0) return;
  tcp.writeSack(view, at, sackEdges, sackBlocks);
  connection.receiver.outOfOrder.reported();
}
