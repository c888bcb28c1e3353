/**
 * CoreDNS in a pod of node 2 behind the Service kube-dns, and a client pod on node 1: each question crosses the client's stack, the
 * translation of node 1, VXLAN, and the server's stack, and so does the answer.
 */
import dnsPacket from 'dns-packet';
import { recordTypeNumber } from '../../../dns/record-type.ts';
import { COREFILE, sharedOf } from '../../../dns/server.testkit.ts';
import { DnsServer } from '../../../dns/server.ts';
import { splitLabel } from '../../../dns/wire-name.ts';
import type { PodNetwork, PodTcpSocket, PodUdpSocket } from '../../../shared/podnet/pod-network.ts';
import { TestLoop } from '../../../shared/podnet/pod-pair.testkit.ts';
import { StackNetwork } from '../../../shared/podnet/stack-network.ts';
import { TestCluster } from '../cluster.testkit.ts';

export const KUBE_DNS = '10.96.0.10';
export const KUBE_DNS_IPV6 = 'fd00:10:96::a';
const PATIENCE_MS = 60_000;

export interface DnsCluster {
  readonly client: PodNetwork;
  /** The datagrams between the nodes so far, VXLAN header first. */
  readonly frames: () => readonly Uint8Array[];
  close(): Promise<void>;
}

export async function dnsCluster(corefile = COREFILE): Promise<DnsCluster> {
  const cluster = new TestCluster(2, 1, { traced: false });
  const loop = new TestLoop(cluster.engine);
  const network = (address: string): PodNetwork => new StackNetwork({ host: cluster.pod(address).host, loop });
  const [client, server] = [network('10.244.1.5'), network('10.244.2.7')];
  cluster.services(
    ...(['udp', 'tcp'] as const).flatMap((protocol) => [
      { protocol, port: 53, name: `DNS4${protocol}`, clusterIp: KUBE_DNS, backends: ['10.244.2.7:53'] },
      { protocol, port: 53, name: `DNS6${protocol}`, clusterIp: KUBE_DNS_IPV6, backends: ['[fd00:10:244:2::7]:53'] },
    ]),
  );
  const dns = new DnsServer({ ...sharedOf(server), readCorefile: () => ({ file: 'Corefile', text: corefile }) });
  await dns.start();
  return {
    client,
    frames: () => cluster.captured,
    async close() {
      await dns.stop({ lameDuck: false });
      loop.close();
    },
  };
}

export interface QueryParts {
  readonly id?: number;
  /** The header's second word. */
  readonly flags?: number;
  readonly classNumber?: number;
  /** EDNS0 with this size. */
  readonly payloadBytes?: number;
  readonly ednsVersion?: number;
}

/** A question as bytes; `name` may have escapes (`a\.b`, `\000`). */
export function queryBytes(name: string, type: string, parts: QueryParts = {}): Buffer {
  const { id = 4242, flags = 0x0100, classNumber = 1, payloadBytes, ednsVersion = 0 } = parts;
  const hasOpt = payloadBytes !== undefined;
  const bytes = [id >> 8, id & 255, flags >> 8, flags & 255, 0, 1, 0, 0, 0, 0, 0, hasOpt ? 1 : 0];
  for (let rest: string | undefined = name === '' ? undefined : name; rest !== undefined; ) {
    const split = splitLabel(rest);
    bytes.push(split.label.length, ...split.label);
    rest = split.rest;
  }
  const number = recordTypeNumber(type);
  bytes.push(0, number >> 8, number & 255, classNumber >> 8, classNumber & 255);
  if (hasOpt) bytes.push(0, 0, 41, payloadBytes >> 8, payloadBytes & 255, 0, ednsVersion, 0, 0, 0, 0);
  return Buffer.from(bytes);
}

/** One datagram from a new socket, and the one that comes back. */
export async function askUdp(cluster: DnsCluster, query: Uint8Array, address = KUBE_DNS): Promise<Buffer> {
  const [answer] = await exchangeUdp(cluster, [query], address);
  return answer as Buffer;
}

/** Whether a datagram gets no answer: one to a later question comes first. */
export async function isIgnored(cluster: DnsCluster, datagram: Uint8Array): Promise<boolean> {
  const later = queryBytes('dns-version.cluster.local', 'TXT', { id: 0xfffe });
  const [answer] = await exchangeUdp(cluster, [datagram, later], KUBE_DNS);
  return answer?.readUInt16BE(0) === 0xfffe;
}

/** Sends all from one socket and waits for the first answer. */
async function exchangeUdp({ client }: DnsCluster, datagrams: Uint8Array[], address: string): Promise<Buffer[]> {
  const socket: PodUdpSocket = await client.bindUdp({ remote: { address, port: 53 } });
  try {
    const answer = new Promise<Buffer>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no answer')), PATIENCE_MS);
      socket.on('error', reject);
      socket.on('message', (data: Uint8Array) => {
        clearTimeout(timer);
        resolve(Buffer.from(data));
      });
    });
    for (const datagram of datagrams) await socket.send(datagram, 53, address);
    return [await answer];
  } finally {
    socket.close();
  }
}

/** All queries in one write of one connection; the answers by their identifiers. */
export async function askTcp(
  { client }: DnsCluster,
  queries: readonly Uint8Array[],
  address = KUBE_DNS,
): Promise<Map<number, Buffer>> {
  const socket: PodTcpSocket = await client.connectTcp({ host: address, port: 53 });
  const answers = new Map<number, Buffer>();
  try {
    socket.write(
      Buffer.concat(queries.flatMap((query) => [Buffer.from([query.length >> 8, query.length & 255]), query])),
    );
    let received = Buffer.alloc(0);
    for await (const chunk of socket as AsyncIterable<Uint8Array>) {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const message = received.subarray(2, 2 + received.readUInt16BE(0));
        answers.set(message.readUInt16BE(0), message);
        received = received.subarray(2 + message.length);
      }
      if (answers.size >= queries.length) break;
    }
    return answers;
  } finally {
    socket.destroy();
  }
}

/** `qr aa rd NOERROR` */
export function headerOf(message: Buffer): string {
  const flags = message.readUInt16BE(2);
  const { rcode } = dnsPacket.decode(message) as unknown as { readonly rcode: string };
  const named = [
    [0x8000, 'qr'],
    [0x0400, 'aa'],
    [0x0200, 'tc'],
    [0x0100, 'rd'],
    [0x0080, 'ra'],
  ] as const;
  const opcode = (flags >>> 11) & 15;
  const set = named.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
  return [...set, ...(opcode === 0 ? [] : [`opcode${opcode}`]), rcode].join(' ');
}
