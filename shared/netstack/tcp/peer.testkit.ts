/** One real host, and a peer whose every segment the test writes and reads itself. */
import * as ethernet from '../../wire/ethernet.ts';
import * as icmp from '../../wire/icmp.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import type { Packet } from '../../wire/packet-memory.ts';
import * as tcp from '../../wire/tcp.ts';
import { type FrameUpcall, type NetDevice, zeroCounters } from '../device.ts';
import type { Host } from '../host.ts';
import { ip, TestNetwork } from '../network.testkit.ts';
import type { TcpConnection } from './connection.ts';
import type { TcpSettings } from './settings.ts';

export interface SegmentSpec {
  readonly flags: string;
  readonly seq?: number;
  readonly ack?: number;
  readonly window?: number;
  readonly data?: string;
  readonly mss?: number;
  readonly sack?: readonly (readonly [number, number])[];
  readonly sackPermitted?: boolean;
  readonly timestamp?: readonly [number, number];
  readonly windowScale?: number;
  /** Urgent pointer. */
  readonly urgent?: number;
  /** The host by default. */
  readonly to?: number;
}

/** As the host sent it; sequence numbers are absolute. */
export interface SentSegment {
  readonly flags: string;
  readonly seq: number;
  readonly ack: number;
  readonly window: number;
  readonly data: string;
  readonly mss: number;
  readonly sack: readonly (readonly [number, number])[];
  /** Value and echo; undefined without the option. */
  readonly timestamp: readonly [number, number] | undefined;
  /** -1 without the option. */
  readonly windowScale: number;
}

/** ECE and CWR (RFC 3168). */
const ECN_ECHO = 0x40;
const WINDOW_REDUCED = 0x80;

const FLAG_LETTERS: readonly (readonly [string, number])[] = [
  ['S', tcp.SYN],
  ['F', tcp.FIN],
  ['R', tcp.RST],
  ['P', tcp.PSH],
  ['.', tcp.ACK],
  ['U', tcp.URG],
  ['E', ECN_ECHO],
  ['W', WINDOW_REDUCED],
];

const URGENT = 18;
const HOST_ADDRESS = ip('10.0.0.1');
const PEER_ADDRESS = ip('10.0.0.2');

class CaptureDevice implements NetDevice {
  readonly kind = 'ethernet';
  readonly name = 'eth0';
  readonly index = 2;
  readonly macAddress = 0x0200_0000_0001;
  readonly superSegmentBytes = 0;
  readonly counters = zeroCounters();
  mtuBytes = 1500;
  up = true;
  upcall: FrameUpcall | null = null;
  readonly tap = null;
  readonly take: (frame: Packet) => void;

  constructor(take: (frame: Packet) => void) {
    this.take = take;
  }

  transmit(frame: Packet): void {
    this.take(frame);
  }

  receive(frame: Packet): void {
    this.upcall!.input(this, frame);
  }
}

export class ScriptedPeer {
  readonly net = new TestNetwork();
  readonly host: Host;
  readonly device: CaptureDevice;
  /** What the peer's own sequence number is by default. */
  seq = 1000;
  /** Port of the host and of the peer. */
  hostPort = 80;
  peerPort = 4000;
  private sent: SentSegment[] = [];

  constructor(settings: Partial<TcpSettings> = {}) {
    this.host = this.net.host('host');
    Object.assign(this.host.tcp.settings, { timestamps: false, windowScaling: false, ...settings });
    this.device = new CaptureDevice((frame) => this.capture(frame));
    this.host.addAddress(this.device, HOST_ADDRESS, 24);
    this.host.neighbours.setPermanent(this.device, PEER_ADDRESS, 0x0200_0000_0002);
  }

  /** What the host sent since the last call. */
  take(): SentSegment[] {
    this.net.settle();
    const { sent } = this;
    this.sent = [];
    return sent;
  }

  /** The one segment the host sent since the last call. */
  takeOne(): SentSegment {
    const sent = this.take();
    if (sent.length !== 1) throw new Error(`${sent.length} segments instead of one: ${JSON.stringify(sent)}`);
    return sent[0]!;
  }

  send(spec: SegmentSpec): void {
    const { memory } = this.net;
    const { view } = memory;
    const data = new TextEncoder().encode(spec.data ?? '');
    const packet = memory.allocate(ethernet.HEADER_BYTES + ipv4.HEADER_BYTES + tcp.MAX_HEADER_BYTES + data.length)!;
    const network = packet.offset + ethernet.HEADER_BYTES;
    const transport = network + ipv4.HEADER_BYTES;
    let at = transport + tcp.HEADER_BYTES;
    if (spec.mss !== undefined) at = tcp.writeMss(view, at, spec.mss);
    if (spec.sackPermitted === true) at = tcp.writeSackPermitted(view, at);
    if (spec.timestamp !== undefined) at = tcp.writeTimestamps(view, at, spec.timestamp[0], spec.timestamp[1]);
    if (spec.windowScale !== undefined) at = tcp.writeWindowScale(view, at, spec.windowScale);
    if (spec.sack !== undefined) at = tcp.writeSack(view, at, Uint32Array.from(spec.sack.flat()), spec.sack.length);
    const header = at - transport;
    memory.bytes.set(data, at);
    const size = header + data.length;
    const seq = spec.seq ?? this.seq;
    const ack = spec.ack ?? 0;
    const window = spec.window ?? 65_535;
    tcp.encode(view, transport, this.peerPort, this.hostPort, seq, ack, header, flagBits(spec.flags), window);
    view.setUint16(transport + URGENT, spec.urgent ?? 0);
    const to = spec.to ?? HOST_ADDRESS;
    ipv4.encode(view, network, ipv4.HEADER_BYTES + size, 1, false, 64, ipv4.PROTOCOL_TCP, PEER_ADDRESS, to);
    ethernet.encode(view, packet.offset, this.device.macAddress, 0x0200_0000_0002, ethernet.TYPE_IPV4);
    packet.length = at + data.length - packet.offset;
    packet.checksumTrusted = true;
    this.net.engine.enqueue(this.device, packet);
    this.net.settle();
  }

  /** A router's "destination unreachable" about a segment of the host with this sequence number. */
  sendUnreachable(code: number, sequence: number, nextHopMtuBytes = 0): void {
    this.sendError(icmp.DESTINATION_UNREACHABLE, code, sequence, nextHopMtuBytes);
  }

  /** A router's error about a segment of the host with this sequence number. */
  sendError(type: number, code: number, sequence: number, nextHopMtuBytes = 0): void {
    const { memory } = this.net;
    const { view } = memory;
    const quotedBytes = ipv4.HEADER_BYTES + 8;
    const size = icmp.HEADER_BYTES + quotedBytes;
    const packet = memory.allocate(ethernet.HEADER_BYTES + ipv4.HEADER_BYTES + size)!;
    const network = packet.offset + ethernet.HEADER_BYTES;
    const message = network + ipv4.HEADER_BYTES;
    const quoted = message + icmp.HEADER_BYTES;
    ipv4.encode(view, quoted, 1500, 1, true, 64, ipv4.PROTOCOL_TCP, HOST_ADDRESS, PEER_ADDRESS);
    view.setUint16(quoted + ipv4.HEADER_BYTES, this.hostPort);
    view.setUint16(quoted + ipv4.HEADER_BYTES + 2, this.peerPort);
    view.setUint32(quoted + ipv4.HEADER_BYTES + 4, sequence);
    icmp.encode(view, message, type, code, nextHopMtuBytes);
    ipv4.encode(view, network, ipv4.HEADER_BYTES + size, 1, false, 64, ipv4.PROTOCOL_ICMP, PEER_ADDRESS, HOST_ADDRESS);
    ethernet.encode(view, packet.offset, this.device.macAddress, 0x0200_0000_0002, ethernet.TYPE_IPV4);
    packet.checksumTrusted = true;
    this.net.engine.enqueue(this.device, packet);
    this.net.settle();
  }

  /** The host listens, the peer connects; answers the host's connection. Nothing is left to take. */
  connectToHost(spec: Partial<SegmentSpec> = {}): { connection: TcpConnection; hostSeq: number } {
    let accepted: TcpConnection | undefined;
    const listener = this.host.tcp.listen({ port: this.hostPort });
    listener.onConnection = (connection) => {
      accepted = connection;
    };
    this.send({ flags: 'S', mss: 1000, ...spec });
    const answer = this.takeOne();
    this.seq++;
    this.send({ flags: '.', ack: answer.seq + 1 });
    return { connection: accepted!, hostSeq: answer.seq + 1 };
  }

  /** The host connects and its SYN is taken. */
  connectFromHost(): { connection: TcpConnection; syn: SentSegment } {
    const connection = this.host.tcp.connect({ remoteAddress: PEER_ADDRESS, remotePort: this.peerPort });
    this.hostPort = connection.localPort;
    return { connection, syn: this.takeOne() };
  }

  private capture(frame: Packet): void {
    const { memory } = this.net;
    const { view } = memory;
    const network = frame.offset + ethernet.HEADER_BYTES;
    const transport = network + ipv4.headerBytes(view, network);
    const options = new tcp.TcpOptions();
    tcp.readOptions(view, transport, options);
    const data = memory.bytes.slice(transport + tcp.headerBytes(view, transport), frame.offset + frame.length);
    const sack = Array.from({ length: options.sackBlocks }, (_, i): [number, number] => [
      options.sackEdges[2 * i]!,
      options.sackEdges[2 * i + 1]!,
    ]);
    this.sent.push({
      flags: flagLetters(tcp.flags(view, transport)),
      seq: tcp.sequence(view, transport),
      ack: tcp.acknowledgement(view, transport),
      window: tcp.window(view, transport),
      data: new TextDecoder().decode(data),
      mss: options.mss,
      sack,
      timestamp: options.hasTimestamps ? [options.timestampValue, options.timestampEcho] : undefined,
      windowScale: options.windowScale,
    });
    memory.free(frame);
  }
}

function flagBits(letters: string): number {
  return FLAG_LETTERS.reduce((bits, [letter, bit]) => (letters.includes(letter) ? bits | bit : bits), 0);
}

function flagLetters(bits: number): string {
  return FLAG_LETTERS.filter(([, bit]) => (bits & bit) !== 0)
    .map(([letter]) => letter)
    .join('');
}
