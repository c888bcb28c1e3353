/** One DNS question to one server over a pod's network: UDP with TCP on truncation (RFC 1035, 7766), or TCP at once. */
import dnsPacket, { type Packet, type PacketOpt, type RecordClass, type RecordType } from 'dns-packet';
import { type DecodedDns, decodeDns } from './decode-dns.ts';
import type { PodNetwork, PodUdpSocket, SocketAddress } from './pod-network.ts';

export const DNS_PORT = 53;

export interface DnsQuery {
  readonly server: string;
  /** 53 by default. */
  readonly port?: number;
  readonly name: string;
  readonly type: RecordType;
  readonly timeoutMs: number;
  readonly tcp?: boolean;
  /** Keep a truncated UDP answer instead of asking again over TCP (`dig +ignore`). */
  readonly ignoreTruncation?: boolean;
  /** RD; true by default. */
  readonly recursionDesired?: boolean;
  /** IN by default. */
  readonly recordClass?: RecordClass;
  /** AD and CD (RFC 4035 section 3.2.2); unset by default. */
  readonly authenticData?: boolean;
  readonly checkingDisabled?: boolean;
  /** EDNS0 with this payload size; none by default. */
  readonly ednsPayloadBytes?: number;
  /** DO (RFC 3225), when there is EDNS0. */
  readonly dnssecOk?: boolean;
  /** A client's cookie (RFC 7873), when there is EDNS0. */
  readonly cookie?: Uint8Array;
  /** Set by the caller so that the data plane of a simulation stays repeatable; random otherwise. */
  readonly id?: number;
}

export interface DnsAnswer {
  readonly packet: DecodedDns;
  readonly server: SocketAddress;
  readonly transport: 'UDP' | 'TCP';
  readonly bytes: number;
  readonly durationMs: number;
}

export class DnsTimeoutError extends Error {
  override readonly name = 'DnsTimeoutError';
  /** There was no connection yet to ask over. */
  readonly connecting: boolean;

  constructor(message: string, connecting = false) {
    super(message);
    this.connecting = connecting;
  }
}

/** Asks once. Throws `DnsTimeoutError`, or the socket's error (ECONNREFUSED when nothing listens there). */
export async function queryDns(network: PodNetwork, query: DnsQuery, signal?: AbortSignal): Promise<DnsAnswer> {
  if (query.tcp) return queryTcp(network, query, signal);
  const answer = await queryUdp(network, query, signal);
  const truncated = answer.packet.flag_tc && !query.ignoreTruncation;
  return truncated ? queryTcp(network, query, signal) : answer;
}

const DNSSEC_OK = 0x8000;
const COOKIE_OPTION = 10;

function encodeQuery(query: DnsQuery, id: number): Buffer {
  const packet: Packet = {
    type: 'query',
    id,
    flags:
      (query.recursionDesired === false ? 0 : dnsPacket.RECURSION_DESIRED) |
      (query.authenticData ? dnsPacket.AUTHENTIC_DATA : 0) |
      (query.checkingDisabled ? dnsPacket.CHECKING_DISABLED : 0),
    questions: [{ type: query.type, name: query.name, class: query.recordClass ?? 'IN' }],
  };
  if (query.ednsPayloadBytes !== undefined) {
    packet.additionals = [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: query.ednsPayloadBytes,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: query.dnssecOk ? DNSSEC_OK : 0,
        flag_do: query.dnssecOk ?? false,
        options: query.cookie === undefined ? [] : [cookieOption(query.cookie)],
      },
    ];
  }
  return dnsPacket.encode(packet);
}

function cookieOption(cookie: Uint8Array): PacketOpt {
  // dns-packet encodes every option that has data; its types know only four of them.
  return { code: COOKIE_OPTION, data: Buffer.from(cookie) } as unknown as PacketOpt;
}

async function queryUdp(network: PodNetwork, query: DnsQuery, signal: AbortSignal | undefined): Promise<DnsAnswer> {
  const startedMs = performance.now();
  const id = query.id ?? Math.floor(Math.random() * 65_536);
  const server = { address: query.server, port: query.port ?? DNS_PORT };
  // Connected, so that a server that does not listen is noticed at once.
  const socket = await network.bindUdp({ remote: server });
  try {
    const message = await exchange(socket, encodeQuery(query, id), server, id, query, signal);
    return { ...message, server, transport: 'UDP', durationMs: performance.now() - startedMs };
  } finally {
    socket.close();
  }
}

function exchange(
  socket: PodUdpSocket,
  request: Uint8Array,
  server: SocketAddress,
  id: number,
  query: DnsQuery,
  signal: AbortSignal | undefined,
): Promise<{ packet: DecodedDns; bytes: number }> {
  return new Promise((resolve, reject) => {
    const finish = (action: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      action();
    };
    const fail = (error: unknown): void => finish(() => reject(error));
    const abort = (): void => fail(new DnsTimeoutError('query was given up'));
    const timer = setTimeout(
      () => fail(new DnsTimeoutError(`no answer from ${server.address}#${server.port} in ${query.timeoutMs} ms`)),
      query.timeoutMs,
    );
    signal?.addEventListener('abort', abort, { once: true });
    socket.on('message', (data: Uint8Array, from: SocketAddress) => {
      const packet = decodeAnswer(data, id, query.name);
      // Answers from elsewhere, to other questions or malformed are not ours (RFC 5452); go on waiting.
      if (packet === undefined || from.address !== server.address || from.port !== server.port) return;
      finish(() => resolve({ packet, bytes: data.length }));
    });
    socket.on('error', fail);
    socket.send(request, server.port, server.address).catch(fail);
  });
}

async function queryTcp(network: PodNetwork, query: DnsQuery, signal: AbortSignal | undefined): Promise<DnsAnswer> {
  const startedMs = performance.now();
  const id = query.id ?? Math.floor(Math.random() * 65_536);
  const server = { address: query.server, port: query.port ?? DNS_PORT };
  const timeout = AbortSignal.timeout(query.timeoutMs);
  const stop = signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
  const gaveUp = (connecting = false): DnsTimeoutError =>
    new DnsTimeoutError(
      `no answer from ${server.address}#${server.port} over TCP in ${query.timeoutMs} ms`,
      connecting,
    );
  const socket = await network.connectTcp({ host: server.address, port: server.port }, stop).catch((error: unknown) => {
    throw stop.aborted ? gaveUp(true) : error;
  });
  const abort = (): void => void socket.destroy(gaveUp());
  stop.addEventListener('abort', abort, { once: true });
  try {
    const request = encodeQuery(query, id);
    socket.write(Buffer.concat([Buffer.from([request.length >> 8, request.length & 255]), request]));
    let received = Buffer.alloc(0);
    for await (const chunk of socket as AsyncIterable<Uint8Array>) {
      received = Buffer.concat([received, chunk]);
      const length = received.length < 2 ? Number.POSITIVE_INFINITY : received.readUInt16BE(0);
      if (received.length < 2 + length) continue;
      const packet = decodeAnswer(received.subarray(2, 2 + length), id, query.name);
      if (packet === undefined) break;
      return { packet, bytes: length, server, transport: 'TCP', durationMs: performance.now() - startedMs };
    }
    throw new DnsTimeoutError(`${server.address}#${server.port} closed the connection without an answer`);
  } finally {
    stop.removeEventListener('abort', abort);
    socket.destroy();
  }
}

/** The packet, when it is an answer to this question. */
function decodeAnswer(data: Uint8Array, id: number, name: string): DecodedDns | undefined {
  const packet = decodeDns(data);
  if (packet?.type !== 'response' || packet.id !== id) return undefined;
  const asked = packet.questions?.[0]?.name;
  return asked === undefined || sameName(asked, name) ? packet : undefined;
}

function sameName(a: string, b: string): boolean {
  return a.toLowerCase().replace(/\.$/, '') === b.toLowerCase().replace(/\.$/, '');
}
