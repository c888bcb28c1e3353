/**
 * Asks other name servers. Addresses are reached through the pod's network, as packets; the servers of a file such as
 * /etc/resolv.conf are the host's and are asked only when the user lets the cluster out (`--egress host`).
 */
import { queryDns } from '../../../shared/podnet/dns-query.ts';
import type { PodNetwork } from '../../../shared/podnet/pod-network.ts';
import { parseResolvConf } from '../../../shared/podnet/resolv-conf.ts';
import { CorefileError, type Directive } from '../../corefile.ts';
import { durationWord, expectWords, integerWord, unknownProperty, wrong } from '../../directive.ts';
import { emptyReply, RCODES, type Rcode, type Reply, type ResourceRecord } from '../../message.ts';
import type { DnsNetwork, Handler, PluginContext, PluginSetup, Query } from '../../plugin.ts';
import { isInZone, plainName, zonesOf } from '../../zone.ts';

interface Upstream {
  readonly address: string;
  readonly port: number;
  readonly network: DnsNetwork;
  fails: number;
  restsUntilMs: number;
}

interface ForwardOptions {
  readonly from: string;
  readonly policy: 'random' | 'round_robin' | 'sequential';
  readonly maxFails: number;
  readonly except: readonly string[];
  readonly forceTcp: boolean;
  readonly maxConcurrent: number;
}

const MAX_UPSTREAMS = 15;
const QUERY_TIMEOUT_MS = 2000;
/** How long an upstream that failed too often is left alone while there are others. */
const REST_MS = 500;
const COMPLAINT_INTERVAL_MS = 60_000;
const POLICIES = ['random', 'round_robin', 'sequential'] as const;
const PROPERTIES = [
  'except',
  'expire',
  'force_tcp',
  'health_check',
  'max_concurrent',
  'max_fails',
  'policy',
  'prefer_udp',
  'tls',
  'tls_servername',
];
const ADDRESS = /^(\d{1,3}(?:\.\d{1,3}){3})(?::(\d{1,5}))?$/;

export const setupForward: PluginSetup = (directive, context) => {
  const [from, ...to] = directive.words;
  if (from === undefined || to.length === 0) throw wrong(directive, 'FROM TO..., such as: forward . 10.96.5.53');
  const [zone = ''] = zonesOf(from, directive);
  const targets = to.map((target) => ({ target, upstreams: upstreamsOf(target, directive, context) }));
  const upstreams = targets.flatMap((one) => one.upstreams);
  if (upstreams.length > MAX_UPSTREAMS) throw wrong(directive, `at most ${MAX_UPSTREAMS} upstreams`);
  const forwarder = new Forwarder(upstreams, parseOptions(zone, directive), to.join(' '), context);
  return { handler: (next) => (query) => forwarder.answer(query, next) };
};

function upstreamsOf(target: string, directive: Directive, context: PluginContext): Upstream[] {
  const address = ADDRESS.exec(target.replace(/^dns:\/\//, ''));
  if (address !== null) return [upstream(address[1] ?? '', Number(address[2] ?? 53), context.network)];
  if (!target.startsWith('/')) {
    throw new CorefileError(directive, `plugin/forward: '${target}' is neither an IPv4 address nor a file`);
  }
  const { egress } = context;
  if (egress === undefined) return [];
  const servers = parseResolvConf(context.readFile(target) ?? '').nameservers;
  return servers.filter((server) => !server.includes(':')).map((server) => upstream(server, 53, egress));
}

function upstream(address: string, port: number, network: DnsNetwork): Upstream {
  return { address, port, network, fails: 0, restsUntilMs: 0 };
}

function parseOptions(from: string, directive: Directive): ForwardOptions {
  let options: ForwardOptions = {
    from,
    policy: 'random',
    maxFails: 2,
    except: [],
    forceTcp: false,
    maxConcurrent: Number.POSITIVE_INFINITY,
  };
  for (const property of directive.block ?? []) options = { ...options, ...readProperty(property) };
  return options;
}

function readProperty(property: Directive): Partial<ForwardOptions> {
  switch (property.name) {
    case 'policy': {
      const policy = POLICIES.find((known) => known === property.words[0]);
      if (policy === undefined) throw wrong(property, `one of ${POLICIES.join(', ')}`);
      return { policy };
    }
    case 'max_fails':
      return { maxFails: integerWord(property, 0, 0, 1_000_000) };
    case 'max_concurrent':
      return { maxConcurrent: integerWord(property, 0, 0, 10_000_000) || Number.POSITIVE_INFINITY };
    case 'except':
      return { except: property.words.map(plainName) };
    case 'force_tcp':
      expectWords(property, 0, 0, 'no argument');
      return { forceTcp: true };
    case 'prefer_udp':
      expectWords(property, 0, 0, 'no argument');
      return { forceTcp: false };
    case 'expire':
    case 'health_check':
      // Upstreams are judged by their answers and connections are not kept: the value is checked and has no effect.
      durationWord(property, 0);
      return {};
    case 'tls':
    case 'tls_servername':
      throw new CorefileError(
        property,
        'plugin/forward: DNS over TLS is not spoken here: name upstreams without tls://',
      );
    default:
      throw unknownProperty('forward', property, PROPERTIES);
  }
}

class Forwarder {
  private readonly upstreams: readonly Upstream[];
  private readonly options: ForwardOptions;
  private readonly targets: string;
  private readonly context: PluginContext;
  private turn = 0;
  private underWay = 0;
  private complainAfterMs = Number.NEGATIVE_INFINITY;

  constructor(upstreams: readonly Upstream[], options: ForwardOptions, targets: string, context: PluginContext) {
    this.upstreams = upstreams;
    this.options = options;
    this.targets = targets;
    this.context = context;
  }

  async answer(query: Query, next: Handler): Promise<Reply> {
    const { key } = query.question;
    const { from, except, maxConcurrent } = this.options;
    if (!isInZone(key, from) || except.some((zone) => isInZone(key, zone))) return next(query);
    if (this.underWay >= maxConcurrent) return emptyReply('REFUSED');
    this.underWay++;
    try {
      return await this.askInTurn(query);
    } finally {
      this.underWay--;
    }
  }

  private async askInTurn(query: Query): Promise<Reply> {
    if (this.upstreams.length === 0) {
      this.complain(query, 'names outside the cluster get SERVFAIL: start the cluster with --egress host to ask them');
      return emptyReply('SERVFAIL');
    }
    for (const one of this.inOrder()) {
      try {
        const reply = await this.ask(one, query);
        one.fails = 0;
        return reply;
      } catch (error) {
        this.noteFailure(one);
        this.complain(query, error instanceof Error ? error.message : String(error));
      }
    }
    return emptyReply('SERVFAIL');
  }

  private async ask({ network, address, port }: Upstream, { question, edns }: Query): Promise<Reply> {
    // queryDns needs sockets only; the rest of a pod's network is not used.
    const { packet } = await queryDns(network as PodNetwork, {
      server: address,
      port,
      name: question.name === '' ? '.' : question.name,
      type: question.type as Parameters<typeof queryDns>[1]['type'],
      timeoutMs: QUERY_TIMEOUT_MS,
      tcp: this.options.forceTcp,
      ednsPayloadBytes: edns?.payloadBytes,
    });
    const rcode = packet.rcode in RCODES ? (packet.rcode as Rcode) : 'SERVFAIL';
    const isOpt = ({ type }: ResourceRecord): boolean => type === 'OPT';
    return {
      rcode,
      authoritative: false,
      recursionAvailable: true,
      answers: packet.answers ?? [],
      authorities: packet.authorities ?? [],
      additionals: (packet.additionals ?? []).filter((record) => !isOpt(record)),
    };
  }

  /** Those that rest come last: when all rest, one is tried all the same. */
  private inOrder(): Upstream[] {
    const nowMs = this.context.clock.monotonicMs();
    const awake = this.upstreams.filter(({ restsUntilMs }) => restsUntilMs <= nowMs);
    const candidates = awake.length > 0 ? awake : [...this.upstreams];
    const { policy } = this.options;
    if (policy === 'sequential') return candidates;
    const { length } = candidates;
    const first = policy === 'random' ? Math.floor(this.context.random.next() * length) : this.turn++ % length;
    return [...candidates.slice(first), ...candidates.slice(0, first)];
  }

  private noteFailure(one: Upstream): void {
    one.fails++;
    if (this.options.maxFails > 0 && one.fails >= this.options.maxFails) {
      one.restsUntilMs = this.context.clock.monotonicMs() + REST_MS;
    }
  }

  /** At most once a minute: a broken way out is one fact, not one for every query. */
  private complain({ question, remote }: Query, why: string): void {
    // The server's own questions (of the loop plugin) are nobody's loss.
    if (remote.port === 0) return;
    const nowMs = this.context.clock.monotonicMs();
    if (nowMs < this.complainAfterMs) return;
    this.complainAfterMs = nowMs + COMPLAINT_INTERVAL_MS;
    this.context.print('WARNING', `plugin/forward: ${question.name}. ${question.type} -> ${this.targets}: ${why}`);
  }
}
