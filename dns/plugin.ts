/** What a plugin is: it answers a query, or passes it on, or changes what the next one answered. */
import type { PodNetwork, PodUdpSocket, UdpBindOptions } from '../shared/podnet/pod-network.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Metrics } from '../shared/runtime/metrics.ts';
import type { Random } from '../shared/runtime/random.ts';
import type { Answering } from './answering.ts';
import type { Directive } from './corefile.ts';
import type { DecodedQuery, Reply, ResourceRecord } from './message.ts';
import type { ClusterSource } from './plugins/kubernetes/cluster-source.ts';
import type { PluginMetrics } from './plugins/prometheus/plugin-metrics.ts';

export interface Query extends DecodedQuery {
  readonly remote: { readonly address: string; readonly port: number };
  readonly transport: 'udp' | 'tcp';
  /** Bytes of the query on the wire. */
  readonly sizeBytes: number;
  /** How many aliases of an original query led here. */
  readonly depth: number;
}

/** Throws or rejects for a failure that the `errors` plugin logs; the client then gets SERVFAIL. */
export type Handler = (query: Query) => Answering;

export interface Plugin {
  readonly handler?: (next: Handler) => Handler;
  /** Where its block listens instead of everywhere. */
  readonly bindAddresses?: readonly string[];
  /** Before the first query. */
  start?(): Promise<void> | void;
  /** Undefined when ready, else why not; asked by the `ready` plugin. */
  notReady?(): string | undefined;
  /** The search list of the client at that address; undefined when it is not known. */
  searchPath?(address: string): readonly string[] | undefined;
  /** A zone that it serves as a whole, with its SOA; undefined for others. */
  zoneRecords?(zone: string): readonly ResourceRecord[] | undefined;
  /** Told of an answer to a query of a client that has left. */
  sent?(query: Query, bytes: number): void;
  /** Before the process ends, or before a reloaded configuration takes over. */
  stop?(reason: 'shutdown' | 'reload'): Promise<void> | void;
}

export interface DnsUdpSocket extends PodUdpSocket {
  /** Of an unconnected socket: sends without ever telling how it went, which costs less than a promise. */
  post?(data: Uint8Array, port: number, address: string): void;
}

/** The network that the server and its plugins use: the pod's, or the host's with `--listen`. */
export interface DnsNetwork extends Pick<PodNetwork, 'listenTcp' | 'connectTcp'> {
  bindUdp(options?: UdpBindOptions): Promise<DnsUdpSocket>;
}

export type LogLevel = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR' | 'FATAL';

export interface PluginContext {
  /** The server block's zones, for plugins that take them over. */
  readonly zones: readonly string[];
  readonly port: number;
  /** As metrics name it: `dns://:53`. */
  readonly server: string;
  /** Of CoreDNS. */
  readonly version: string;
  /** Every directive of the server block: several of one plugin may make one list of rules. */
  readonly directives: readonly Directive[];
  readonly network: DnsNetwork;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly pluginMetrics: PluginMetrics;
  readonly cluster: ClusterSource;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A line of the server's own log, in CoreDNS' form. */
  print(level: LogLevel, text: string): void;
  /** Asks this server itself, as a client would; `cause` is the query that needs it (aliases may lead in a circle). */
  lookup(name: string, type: string, cause?: Query): Promise<Reply>;
  /** The text of a file; undefined when there is none. */
  readFile(path: string): string | undefined;
  /** The host's own network, when the user lets the cluster out (`--egress host`). */
  readonly egress: DnsNetwork | undefined;
  /** The plugins of the same block, once all are made. */
  plugins(): readonly Plugin[];
  /** Plugins of the same block that are not ready. */
  notReady(): string[];
  /** Replaces the running configuration by the present Corefile when it changed. */
  reload(): Promise<void>;
  /** Ends the process: the configuration can not work. */
  halt(reason: string): void;
}

/** Throws CorefileError for words that it does not understand. */
export type PluginSetup = (directive: Directive, context: PluginContext) => Plugin;
