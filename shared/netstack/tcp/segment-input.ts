/** What a segment does to a connection: RFC 9293 section 3.10.7, in its order, with RFC 5961's and RFC 7323's checks. */
import * as tcp from '../../wire/tcp.ts';
import { TokenBucket } from '../token-bucket.ts';
import { sendBareSegment } from './bare-segment.ts';
import type { TcpConnection } from './connection.ts';
import type { Segment } from './segment.ts';
import { sendAcknowledgement, sendSyn } from './segment-output.ts';
import * as seq from './seq.ts';

/** Of one connection: as many in a row, and as often then (the figures of RFC 5961 section 7). */
const CHALLENGES_BURST = 10;
const CHALLENGES_PER_SECOND = 2;

export function processSegment(connection: TcpConnection, segment: Segment): void {
  if (connection.state === 'SYN-SENT') processInSynSent(connection, segment);
  else processSynchronized(connection, segment);
}

/** Section 3.10.7.3. */
function processInSynSent(connection: TcpConnection, segment: Segment): void {
  const { sender, receiver } = connection;
  const acknowledges = segment.has(tcp.ACK);
  if (acknowledges && !acknowledgesSyn(connection, segment)) {
    if (!segment.has(tcp.RST)) resetAt(connection, segment.acknowledgement);
    return;
  }
  if (segment.has(tcp.RST)) {
    if (acknowledges) connection.finish('ECONNREFUSED');
    return;
  }
  if (!segment.has(tcp.SYN)) return;
  if (!acknowledges) {
    connection.acceptSyn(segment);
    return;
  }
  connection.takeSyn(segment);
  sender.acknowledged(segment);
  receiver.requestAcknowledgement();
  connection.establish();
  finishProcessing(connection);
}

function acknowledgesSyn(connection: TcpConnection, segment: Segment): boolean {
  const { initialSequence, next } = connection.sender;
  const { acknowledgement } = segment;
  return seq.after(acknowledgement, initialSequence) && !seq.after(acknowledgement, next);
}

/** Section 3.10.7.4. */
function processSynchronized(connection: TcpConnection, segment: Segment): void {
  const { receiver } = connection;
  if (connection.state === 'SYN-RECEIVED' && isRepeatedSyn(connection, segment)) {
    sendSyn(connection, true);
    return;
  }
  const isReset = segment.has(tcp.RST);
  if (!receiver.accepts(segment) || (isOldByTimestamp(connection, segment) && !isReset)) {
    connection.host.tcp.counters.outOfWindow++;
    if (!isReset) answerUnacceptable(connection, segment);
    return;
  }
  if (isReset) {
    processReset(connection, segment);
    return;
  }
  if (segment.has(tcp.SYN)) {
    sendChallenge(connection);
    return;
  }
  takeTimestamp(connection, segment);
  if (!segment.has(tcp.ACK) || !processAcknowledgement(connection, segment)) return;
  if (segment.has(tcp.URG)) receiver.takeUrgentPointer(segment);
  if (segment.length > 0 && takesData(connection)) receiver.receive(segment);
  finishProcessing(connection);
}

/** Our SYN-ACK was lost and the peer asks again. */
function isRepeatedSyn(connection: TcpConnection, segment: Segment): boolean {
  return segment.isPlainSyn && segment.sequence === connection.receiver.initialSequence;
}

/** Protection against wrapped sequence numbers (RFC 7323 section 5.3). */
function isOldByTimestamp(connection: TcpConnection, segment: Segment): boolean {
  return (
    connection.timestampsEnabled &&
    segment.options.hasTimestamps &&
    seq.before(segment.options.timestampValue, connection.timestampRecent)
  );
}

/** Old data is acknowledged again, for its acknowledgement may be lost; so is, less often, a probe of the window or of life. */
function answerUnacceptable(connection: TcpConnection, segment: Segment): void {
  if (segment.length > 0 && !segment.has(tcp.SYN)) {
    connection.receiver.refused(segment);
    connection.receiver.acknowledge();
  } else sendChallenge(connection);
}

/** RFC 5961 section 3.2: only a reset exactly at RCV.NXT is believed at once. */
function processReset(connection: TcpConnection, segment: Segment): void {
  if (segment.sequence !== connection.receiver.next) {
    sendChallenge(connection);
    return;
  }
  const refused = connection.state === 'SYN-RECEIVED' && !connection.isPending;
  connection.host.tcp.counters.resetsReceived++;
  connection.finish(refused ? 'ECONNREFUSED' : 'ECONNRESET');
}

/** RFC 7323 section 4.3: the timestamp of the segment that the last acknowledgement falls in. */
function takeTimestamp(connection: TcpConnection, segment: Segment): void {
  if (!connection.timestampsEnabled || !segment.options.hasTimestamps) return;
  if (!seq.after(segment.sequence, connection.receiver.acknowledged)) {
    connection.timestampRecent = segment.options.timestampValue;
  }
}

/** False when the segment goes no further. */
function processAcknowledgement(connection: TcpConnection, segment: Segment): boolean {
  const { sender } = connection;
  if (connection.state === 'SYN-RECEIVED') {
    if (!acknowledgesSyn(connection, segment)) {
      resetAt(connection, segment.acknowledgement);
      return false;
    }
    if (!connection.mayEstablish()) return false;
    sender.acknowledged(segment);
    connection.establish();
    return !isClosed(connection);
  }
  // RFC 5961 section 5.2: neither of what was never sent, nor so old that nobody honest would send it.
  if (seq.after(segment.acknowledgement, sender.next)) {
    sendChallenge(connection);
    return false;
  }
  if (seq.before(segment.acknowledgement, sender.unacknowledged)) {
    const oldest = seq.add(sender.unacknowledged, -sender.window.maxBytes);
    if (!seq.before(segment.acknowledgement, oldest)) return true;
    sendChallenge(connection);
    return false;
  }
  sender.acknowledged(segment);
  if (sender.finAcknowledged) connection.finAcknowledged();
  return !isClosed(connection);
}

function takesData(connection: TcpConnection): boolean {
  const { state } = connection;
  return state === 'ESTABLISHED' || state === 'FIN-WAIT-1' || state === 'FIN-WAIT-2';
}

/** Sends what the segment gave room for, or else the acknowledgement that is due. */
function finishProcessing(connection: TcpConnection): void {
  if (isClosed(connection)) return;
  connection.sender.output();
  connection.receiver.acknowledge();
  if (connection.state === 'TIME-WAIT') connection.enterTimeWait();
}

/** A callback may have closed the connection; the compiler does not know. */
function isClosed(connection: TcpConnection): boolean {
  return connection.state === 'CLOSED';
}

/**
 * RFC 5961: an acknowledgement that asks the peer to prove itself, within the host's rate and the connection's, so that two
 * ends which disagree do not answer each other for ever.
 */
function sendChallenge(connection: TcpConnection): void {
  const { engine, tcp: layer } = connection.host;
  connection.challenges ??= new TokenBucket(engine, CHALLENGES_PER_SECOND, CHALLENGES_BURST);
  if (connection.challenges.take() && layer.mayChallenge()) sendAcknowledgement(connection);
}

function resetAt(connection: TcpConnection, sequence: number): void {
  const { localAddress, localPort, remoteAddress, remotePort } = connection;
  const ends = { localAddress, localPort, remoteAddress, remotePort };
  sendBareSegment(connection.host, { ...ends, sequence, acknowledgement: 0, flags: tcp.RST });
}
