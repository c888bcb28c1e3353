/**
 * A name server that queries are handed to. When it does not answer, it is asked for something simple every so often, until it
 * does; while too many of those checks failed it is down, and others are asked before it.
 */
import type { RecordClass, RecordType } from 'dns-packet';
import { queryDns } from '../../../shared/podnet/dns-query.ts';
import type { PodNetwork } from '../../../shared/podnet/pod-network.ts';
import type { Clock, Timer } from '../../../shared/runtime/clock.ts';
import { RCODES, type Rcode, type Reply, type ResourceRecord } from '../../message.ts';
import type { DnsNetwork, PluginContext, Query } from '../../plugin.ts';
import type { ForwardOptions } from './options.ts';
import { upstreamError } from './upstream-error.ts';
import { UpstreamMetrics } from './upstream-metrics.ts';

const QUERY_TIMEOUT_MS = 2000;
const CHECK_TIMEOUT_MS = 1000;

export interface UpstreamAddress {
  readonly address: string;
  readonly port: number;
  /** Through which it is reached. */
  readonly network: DnsNetwork;
}

type UpstreamContext = Pick<PluginContext, 'clock' | 'pluginMetrics'>;

export class Upstream {
  private readonly at: UpstreamAddress;
  private readonly options: ForwardOptions;
  private readonly clock: Clock;
  private readonly metrics: UpstreamMetrics;
  private failedChecks = 0;
  private checking = false;
  private stopped = false;
  private timer: Timer | undefined;

  constructor(at: UpstreamAddress, options: ForwardOptions, { clock, pluginMetrics }: UpstreamContext) {
    this.at = at;
    this.options = options;
    this.clock = clock;
    this.metrics = new UpstreamMetrics(pluginMetrics, this.name);
  }

  /** `10.96.5.53:53` */
  get name(): string {
    const { address, port } = this.at;
    return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  }

  get isDown(): boolean {
    return this.options.maxFails > 0 && this.failedChecks > this.options.maxFails;
  }

  /** Rejects, in the words of Go's network library, when there is no answer. */
  async ask({ question, edns, transport, recursionDesired, checkingDisabled }: Query): Promise<Reply> {
    const { forceTcp, preferUdp } = this.options;
    const tcp = forceTcp || (transport === 'tcp' && !preferUdp);
    const startMs = this.clock.monotonicMs();
    const asking = queryDns(this.at.network as PodNetwork, {
      server: this.at.address,
      port: this.at.port,
      name: question.name === '' ? '.' : question.name,
      // Of queries that came in; dns-packet takes numbers as UNKNOWN_n too.
      type: question.type as RecordType,
      recordClass: question.class as RecordClass,
      timeoutMs: QUERY_TIMEOUT_MS,
      tcp,
      // A client over UDP is told of the truncation, and asks again over TCP itself.
      ignoreTruncation: transport === 'udp',
      recursionDesired,
      checkingDisabled,
      ednsPayloadBytes: edns?.payloadBytes,
      dnssecOk: edns?.dnssecOk,
    });
    const { packet } = await asking.catch((error: unknown) => {
      throw upstreamError(error, tcp ? 'tcp' : 'udp', this.name);
    });
    this.metrics.answered(packet.rcode, (this.clock.monotonicMs() - startMs) / 1000);
    const isOpt = ({ type }: ResourceRecord): boolean => type === 'OPT';
    return {
      rcode: packet.rcode in RCODES ? (packet.rcode as Rcode) : 'SERVFAIL',
      authoritative: packet.flag_aa,
      recursionAvailable: packet.flag_ra,
      ...(packet.flag_tc ? { truncated: true } : {}),
      answers: packet.answers ?? [],
      authorities: packet.authorities ?? [],
      additionals: (packet.additionals ?? []).filter((record) => !isOpt(record)),
    };
  }

  /** After a query without an answer: whether it is the query's fault or the server's. */
  check(): void {
    if (this.checking || this.stopped || this.options.maxFails === 0) return;
    this.checking = true;
    void this.checkUntilHealthy();
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  private async checkUntilHealthy(): Promise<void> {
    if (await this.answersCheck()) {
      this.failedChecks = 0;
      this.checking = false;
      return;
    }
    this.failedChecks++;
    this.metrics.checkFailed();
    if (this.stopped) return;
    this.timer = this.clock.setTimer(this.options.healthCheck.intervalMs, () => void this.checkUntilHealthy());
  }

  /** Any answer is a sign of life. */
  private async answersCheck(): Promise<boolean> {
    const { domain, recursionDesired } = this.options.healthCheck;
    try {
      await queryDns(this.at.network as PodNetwork, {
        server: this.at.address,
        port: this.at.port,
        name: domain === '' ? '.' : domain,
        type: 'NS',
        timeoutMs: CHECK_TIMEOUT_MS,
        tcp: this.options.forceTcp,
        ignoreTruncation: true,
        recursionDesired,
      });
      return true;
    } catch {
      // Whatever it was, there is no answer; the query that led here has said why.
      return false;
    }
  }
}
