/** A DNS server for tests: the default Corefile on a small cluster, without a socket. */
import dnsPacket, { type RecordClass, type RecordType } from 'dns-packet';
import { defaultCorefile } from '../services/controller-manager/bootstrap/corefile.ts';
import { FakeClock, systemClock } from '../shared/runtime/clock.ts';
import { Metrics } from '../shared/runtime/metrics.ts';
import { seededRandom } from '../shared/runtime/random.ts';
import { promised } from './answering.ts';
import { parseCorefile } from './corefile.ts';
import { decodeQuery, emptyReply, encodeReply } from './message.ts';
import type { DnsNetwork } from './plugin.ts';
import { ClusterRecords, type DnsPort } from './plugins/kubernetes/cluster-records.ts';
import { PluginMetrics } from './plugins/prometheus/plugin-metrics.ts';
import type { DnsServerOptions } from './server.ts';
import { ServerBlocks, type SharedContext } from './server-blocks.ts';

export interface TestServer {
  readonly blocks: ServerBlocks;
  readonly clock: FakeClock;
  readonly records: ClusterRecords;
  readonly metrics: Metrics;
  /** What was printed. */
  readonly lines: string[];
  notReady(): string[];
}

export interface TestServerOptions {
  readonly corefile?: string;
  readonly synced?: boolean | (() => boolean);
  readonly network?: DnsNetwork;
  readonly egress?: DnsNetwork;
  readonly files?: Readonly<Record<string, string>>;
}

const HOSTS = '    hosts {\n       192.0.2.80 lab.example\n       fallthrough\n    }\n';

/** The default one, with a host beside the cluster. */
export const COREFILE = defaultCorefile('cluster.local').replace('    prometheus', `${HOSTS}    prometheus`);

export async function testServer(options: TestServerOptions = {}): Promise<TestServer> {
  const clock = new FakeClock();
  const records = smallCluster();
  const lines: string[] = [];
  const metrics = new Metrics();
  const synced = options.synced ?? true;
  const unused = (): never => {
    throw new Error('this test has no network');
  };
  const shared: SharedContext = {
    network: options.network ?? { bindUdp: unused, listenTcp: unused, connectTcp: unused },
    egress: options.egress,
    clock,
    random: seededRandom(7),
    metrics,
    pluginMetrics: new PluginMetrics(metrics),
    version: '1.11.3',
    cluster: { open: () => ({ records, synced: typeof synced === 'function' ? synced : () => synced }) },
    environment: {},
    readFile: (path) => options.files?.[path],
    print: (level, text) => lines.push(`[${level}] ${text}`),
    reload: () => Promise.resolve(),
    halt: (reason) => lines.push(`halt: ${reason}`),
  };
  const blocks = new ServerBlocks(
    parseCorefile(options.corefile ?? COREFILE, { file: 'Corefile', environment: {} }),
    shared,
  );
  return { blocks, clock, records, metrics, lines, notReady: () => blocks.notReady() };
}

/** What a `DnsServer` on real time needs beside its Corefile: the small cluster, and nobody who reads its lines. */
export function sharedOf(network: DnsNetwork): Omit<DnsServerOptions, 'readCorefile'> {
  const metrics = new Metrics();
  const records = smallCluster();
  return {
    network,
    egress: undefined,
    clock: systemClock,
    random: seededRandom(1),
    metrics,
    pluginMetrics: new PluginMetrics(metrics),
    version: '1.11.3',
    cluster: { open: () => ({ records, synced: () => true }) },
    environment: {},
    readFile: () => undefined,
    print: () => undefined,
    halt: () => undefined,
  };
}

export interface AskOptions {
  readonly limitBytes?: number;
  readonly dnssecOk?: boolean;
  /** UDP by default. */
  readonly transport?: 'udp' | 'tcp';
  /** The client's address. */
  readonly from?: string;
  /** IN by default. */
  readonly recordClass?: RecordClass;
  /** Codes of options without data. */
  readonly optionCodes?: readonly number[];
}

export type TestReply = dnsPacket.DecodedPacket & { readonly rcode: string };

/** Asks as a client would: bytes through the codec and the chain. Rejects when there is no answer. */
export async function answerBytes(
  server: TestServer,
  name: string,
  type: RecordType,
  {
    limitBytes = 65_535,
    transport = 'udp',
    dnssecOk,
    from = '10.244.1.9',
    recordClass = 'IN',
    optionCodes = [],
  }: AskOptions = {},
): Promise<TestReply> {
  const question = dnsPacket.encode({
    type: 'query',
    id: 4242,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type, class: recordClass }],
    ...(dnssecOk === undefined && optionCodes.length === 0
      ? {}
      : {
          additionals: [
            {
              type: 'OPT',
              name: '.',
              udpPayloadSize: 1232,
              extendedRcode: 0,
              ednsVersion: 0,
              flags: dnssecOk ? dnsPacket.DNSSEC_OK : 0,
              flag_do: dnssecOk ?? false,
              // The types of dns-packet know options of one kind only.
              options: optionCodes.map((code) => ({ code, data: Buffer.alloc(0) })) as never[],
            },
          ],
        }),
  });
  const decoded = decodeQuery(question);
  if (decoded.kind !== 'query') throw new Error(`the query was ${decoded.kind}`);
  const { query } = decoded;
  const remote = { address: from, port: 40_000 };
  const asked = { ...query, remote, transport, sizeBytes: question.length, depth: 0 };
  // A failure is SERVFAIL, as the server has it.
  const reply = await promised(() => server.blocks.answer(53, asked)).catch(() => emptyReply('SERVFAIL'));
  if (reply.dropped) throw new Error('there is no answer');
  return dnsPacket.decode(Buffer.from(encodeReply(query, reply, limitBytes))) as TestReply;
}

function port(name: string, number: number, protocol = 'tcp'): DnsPort {
  return { name, port: number, protocol };
}

/** Services of every kind, in `default`. */
function smallCluster(): ClusterRecords {
  const records = new ClusterRecords();
  records.serial = 1_767_225_600;
  for (const name of ['default', 'kube-system', 'quiet'])
    records.setNamespace(name, { 'kubernetes.io/metadata.name': name });
  const service = (name: string, ips: string[], ports: DnsPort[], namespace = 'default'): void =>
    records.setService({
      namespace,
      name,
      kind: ips.length > 0 ? 'cluster' : 'headless',
      clusterIps: ips,
      externalName: '',
      ports,
      labels: { app: name },
    });
  const external = (name: string, externalName: string): void =>
    records.setService({
      namespace: 'default',
      name,
      kind: 'external',
      clusterIps: [],
      externalName,
      ports: [],
      labels: {},
    });
  const slice = (of: string, ports: DnsPort[], endpoints: readonly (readonly [string, string?, string?])[]): void =>
    records.setSlice({
      namespace: 'default',
      name: `${of}-x`,
      service: of,
      endpoints: endpoints.map(([address, hostname = '', podName = '']) => ({ address, hostname, podName, ports })),
    });
  service('kube-dns', ['10.96.0.10'], [port('dns', 53, 'udp'), port('dns-tcp', 53)], 'kube-system');
  service('web', ['10.96.0.20'], [port('http', 80), port('metrics', 9090)]);
  service('also', ['10.96.0.21'], [port('', 80)]);
  service('dual', ['10.96.0.30', 'fd00::30'], [port('', 80)]);
  service('empty', ['10.96.0.40'], [port('', 80)]);
  service('db', [], [port('pg', 5432)]);
  service('idle', [], [port('pg', 5432)]);
  service('six', [], [port('', 80)]);
  service('mixed', [], [port('web', 80)]);
  service('wide', [], [port('pg', 5432)]);
  service('voice', ['10.96.0.50', 'fd00::50'], [port('sip', 5060, 'udp'), port('sip', 5060), port('', 9)]);
  service('fd', ['fd00::51'], [port('http', 80)]);
  service('bare', [], []);
  external('ext', 'lab.example');
  external('inner', 'web.default.svc.cluster.local');
  external('circle', 'circle.default.svc.cluster.local');
  slice('web', [port('http', 8080), port('metrics', 9090)], [['10.244.1.7']]);
  slice('also', [port('', 8080)], [['10.244.1.7']]);
  slice(
    'db',
    [port('pg', 5432)],
    [
      ['10.244.1.5', 'db-0'],
      ['10.244.2.5', '', 'pg-pod'],
    ],
  );
  slice('six', [port('', 80)], [['5678:abcd::1'], ['fd00:1::']]);
  slice('mixed', [port('web', 80)], [['10.244.1.8', 'm0'], ['fd00:10:244:1::8', 'm0'], ['10.244.2.8']]);
  slice(
    'wide',
    [port('pg', 5432)],
    Array.from({ length: 100 }, (_, index) => [`10.244.9.${index}`, `w${index}`]),
  );
  slice('bare', [], [['10.244.3.9']]);
  records.setPod({ namespace: 'default', name: 'db-0', addresses: ['10.244.1.5'] });
  return records;
}
