/** A DNS server in a pod of a test's network, with records of a small cluster, and a log of what it was asked. */
import dnsPacket, { type Answer, type DecodedPacket, type OptAnswer, type Packet } from 'dns-packet';
import type { PodNetwork, PodTcpSocket, SocketAddress } from '../../../../shared/podnet/pod-network.ts';

const ZONE = 'cluster.local';
const REFUSED = 5;
const NXDOMAIN = 3;
const SERVFAIL = 2;

export const SOA_RECORD: Answer = {
  type: 'SOA',
  name: ZONE,
  ttl: 30,
  data: {
    mname: `ns.dns.${ZONE}`,
    rname: `hostmaster.${ZONE}`,
    serial: 1_700_000_000,
    refresh: 7200,
    retry: 1800,
    expire: 86_400,
    minimum: 30,
  },
};

const a = (name: string, data: string): Answer => ({ type: 'A', name, ttl: 5, data });
const service = (name: string): string => `${name}.default.svc.${ZONE}`;
const srv = (target: string): Answer => ({
  type: 'SRV',
  name: service('db'),
  ttl: 5,
  data: { priority: 0, weight: 50, port: 5432, target: `${target}.${service('db')}` },
});

/** The same records as the fake server that the real programs were run against to get the expected outputs. */
export const RECORDS: readonly Answer[] = [
  a(service('web'), '10.96.0.5'),
  a(service('dual'), '10.96.0.6'),
  { type: 'AAAA', name: service('dual'), ttl: 5, data: 'fd00::6' },
  a(service('db'), '10.244.1.3'),
  a(service('db'), '10.244.2.4'),
  srv('db-0'),
  srv('db-1'),
  { type: 'CNAME', name: service('ext'), ttl: 5, data: 'example.org' },
  a('example.org', '93.184.216.34'),
  { type: 'MX', name: 'example.org', ttl: 5, data: { preference: 10, exchange: 'mail.example.org' } },
  { type: 'TXT', name: 'example.org', ttl: 3600, data: ['v=spf1 -all', 'say "hi"; ok'] },
  { type: 'NS', name: 'example.org', ttl: 5, data: 'ns.example.org' },
  { ...SOA_RECORD, name: 'example.org' },
  { type: 'CAA', name: 'example.org', ttl: 5, data: { flags: 0, tag: 'issue', value: 'ca.example' } },
  { type: 'TXT', name: `dns-version.${ZONE}`, ttl: 28_800, data: '1.1.0' },
  { type: 'PTR', name: '5.0.96.10.in-addr.arpa', ttl: 5, data: service('web') },
  ...Array.from({ length: 60 }, (_, index) => a(service('big'), `10.244.3.${index}`)),
];

export interface FakeDnsOptions {
  readonly records?: readonly Answer[];
  /** RA in every answer. */
  readonly recursionAvailable?: boolean;
  /** AA in every answer; true by default. */
  readonly authoritative?: boolean;
  /** Gives EDNS cookies back as they came, as CoreDNS does with unknown options. */
  readonly echoesCookies?: boolean;
  /** Overrides the answer to some questions; undefined leaves it to the records, `silence` sends none. */
  readonly intercept?: (name: string, type: string) => 'silence' | number | undefined;
  readonly port?: number;
}

export interface FakeDnsServer {
  /** `UDP name type`, as they came. */
  readonly asked: string[];
}

/** Serves UDP and TCP until the network is closed. Names that begin with `silent`, `servfail`, `refused` get just that. */
export async function serveFakeDns(network: PodNetwork, options: FakeDnsOptions = {}): Promise<FakeDnsServer> {
  const asked: string[] = [];
  const port = options.port ?? 53;
  const socket = await network.bindUdp({ port });
  socket.on('message', (data: Uint8Array, from: SocketAddress) => {
    const answer = respond(Buffer.from(data), 'UDP', options, asked);
    if (answer !== undefined) void socket.send(answer, from.port, from.address);
  });
  const server = await network.listenTcp({ port });
  server.on('connection', (connection: PodTcpSocket) => {
    connection.on('data', (data: Buffer) => {
      const answer = respond(data.subarray(2), 'TCP', options, asked);
      if (answer !== undefined) connection.write(Buffer.concat([lengthOf(answer), answer]));
    });
  });
  return { asked };
}

function lengthOf(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(2);
  prefix.writeUInt16BE(message.length);
  return prefix;
}

function respond(data: Buffer, transport: 'UDP' | 'TCP', options: FakeDnsOptions, asked: string[]): Buffer | undefined {
  const query = dnsPacket.decode(data);
  const { name = '', type = 'A' } = query.questions?.[0] ?? {};
  asked.push(`${transport} ${name} ${type}`);
  const code = options.intercept?.(name, type) ?? standardCode(name);
  if (code === 'silence') return undefined;
  const answer = code === undefined ? lookUp(name, type, options.records ?? RECORDS) : { rcode: code };
  const { rcode, ...sections } = answer;
  const authoritative = options.authoritative === false ? 0 : dnsPacket.AUTHORITATIVE_ANSWER;
  const available = options.recursionAvailable ? dnsPacket.RECURSION_AVAILABLE : 0;
  const response: Packet = {
    type: 'response',
    id: query.id,
    flags: authoritative | recursionDesired(query) | available | rcode,
    questions: query.questions,
    ...sections,
  };
  const option = query.additionals?.find((record): record is OptAnswer => record.type === 'OPT');
  if (option !== undefined) {
    const returned = { ...option, udpPayloadSize: 1232, options: options.echoesCookies ? option.options : [] };
    response.additionals = [...(response.additionals ?? []), returned];
  }
  const encoded = dnsPacket.encode(response);
  if (transport === 'TCP' || encoded.length <= (option?.udpPayloadSize ?? 512)) return encoded;
  return dnsPacket.encode({
    type: 'response',
    id: query.id,
    flags: (response.flags ?? 0) | dnsPacket.TRUNCATED_RESPONSE,
    questions: query.questions,
  });
}

function recursionDesired(query: DecodedPacket): number {
  return query.flag_rd ? dnsPacket.RECURSION_DESIRED : 0;
}

function standardCode(name: string): 'silence' | number | undefined {
  if (name.startsWith('silent')) return 'silence';
  if (name.startsWith('servfail')) return SERVFAIL;
  return name.startsWith('refused') ? REFUSED : undefined;
}

function lookUp(name: string, type: string, records: readonly Answer[]): Packet & { readonly rcode: number } {
  const named = records.filter((record) => record.name === name.toLowerCase());
  if (named.length === 0) return { rcode: NXDOMAIN, authorities: [SOA_RECORD] };
  const alias = named.find((record) => record.type === 'CNAME');
  if (alias !== undefined && type !== 'CNAME' && alias.type === 'CNAME') {
    const target = lookUp(String(alias.data), type, records);
    return { rcode: 0, answers: [alias, ...(target.answers ?? [])] };
  }
  const answers = named.filter((record) => record.type === type);
  return answers.length > 0 ? { rcode: 0, answers } : { rcode: 0, authorities: [SOA_RECORD] };
}
