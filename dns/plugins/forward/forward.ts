/**
 * Asks other name servers. Addresses are reached through the pod's network, as packets; the servers of a file such as
 * /etc/resolv.conf are the host's and are asked only when the user lets the cluster out (`--egress host`).
 */
import { isIP } from 'node:net';
import { parseResolvConf } from '../../../shared/podnet/resolv-conf.ts';
import { CorefileError, type Directive } from '../../corefile.ts';
import { wrong } from '../../directive.ts';
import { emptyReply, passingFailure, type Reply } from '../../message.ts';
import type { Handler, PluginContext, PluginSetup, Query } from '../../plugin.ts';
import { shownType } from '../../record-type.ts';
import { isInZone, zonesOf } from '../../zone.ts';
import type { LabelledCounter } from '../prometheus/labelled-counter.ts';
import { type ForwardOptions, parseForwardOptions } from './options.ts';
import { Upstream, type UpstreamAddress } from './upstream.ts';

const MAX_UPSTREAMS = 15;
/** How long upstreams are tried for one query, and how often each. */
const DEADLINE_MS = 5000;
const ROUNDS = 2;
const COMPLAINT_INTERVAL_MS = 60_000;
const DNS_PORT = 53;

export const setupForward: PluginSetup = (directive, context) => {
  const [from, ...to] = directive.words;
  if (from === undefined || to.length === 0) throw wrong(directive, 'FROM TO..., such as: forward . 10.96.5.53');
  const [zone = ''] = zonesOf(from, directive);
  const addresses = to.flatMap((target) => addressesOf(target, directive, context));
  if (addresses.length > MAX_UPSTREAMS) throw wrong(directive, `at most ${MAX_UPSTREAMS} upstreams`);
  const options = parseForwardOptions(zone, directive);
  const upstreams = addresses.map((address) => new Upstream(address, options, context));
  const forwarder = new Forwarder(upstreams, options, to.join(' '), context);
  return {
    handler: (next) => (query) => forwarder.answer(query, next),
    stop() {
      for (const upstream of upstreams) upstream.stop();
    },
  };
};

function addressesOf(target: string, directive: Directive, context: PluginContext): UpstreamAddress[] {
  const address = addressOf(target.replace(/^dns:\/\//, ''));
  if (address !== undefined) return [{ ...address, network: context.network }];
  if (!target.startsWith('/')) {
    throw new CorefileError(
      directive,
      `'${target}' is neither an address such as 10.96.5.53:53 nor a file such as /etc/resolv.conf`,
    );
  }
  const { egress } = context;
  if (egress === undefined) return [];
  const servers = parseResolvConf(context.readFile(target) ?? '').nameservers;
  return servers.map((server) => ({ address: server, port: DNS_PORT, network: egress }));
}

/** `10.96.5.53`, `10.96.5.53:5353`, `fd00::53`, `[fd00::53]:5353` */
function addressOf(text: string): { readonly address: string; readonly port: number } | undefined {
  if (isIP(text) !== 0) return { address: text, port: DNS_PORT };
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain ?? '';
  return isIP(address) !== 0 && Number(port) <= 65_535 ? { address, port: Number(port) } : undefined;
}

class Forwarder {
  private readonly upstreams: readonly Upstream[];
  private readonly options: ForwardOptions;
  private readonly targets: string;
  private readonly context: PluginContext;
  private readonly rejects: LabelledCounter;
  private readonly broken: LabelledCounter;
  private turn = 0;
  private underWay = 0;
  private complainAfterMs = Number.NEGATIVE_INFINITY;

  constructor(upstreams: readonly Upstream[], options: ForwardOptions, targets: string, context: PluginContext) {
    this.upstreams = upstreams;
    this.options = options;
    this.targets = targets;
    this.context = context;
    this.rejects = context.pluginMetrics
      .counter({
        name: 'coredns_forward_max_concurrent_rejects_total',
        help: 'Counter of the number of queries rejected because the concurrent queries were at maximum.',
        labelNames: [],
      })
      .at([]);
    this.broken = context.pluginMetrics
      .counter({
        name: 'coredns_forward_healthcheck_broken_total',
        help: 'Counter of the number of complete failures of the healthchecks.',
        labelNames: [],
      })
      .at([]);
  }

  async answer(query: Query, next: Handler): Promise<Reply> {
    const { key } = query.question;
    const { from, except, maxConcurrent } = this.options;
    if (!isInZone(key, from) || except.some((zone) => isInZone(key, zone))) return next(query);
    if (this.underWay >= maxConcurrent) {
      this.rejects.add();
      return emptyReply('REFUSED');
    }
    this.underWay++;
    try {
      return await this.askInTurn(query);
    } finally {
      this.underWay--;
    }
  }

  private async askInTurn(query: Query): Promise<Reply> {
    if (this.upstreams.length === 0) {
      this.complain(query);
      return passingFailure();
    }
    // A question with such bytes in its name is nobody's name, and the client's library writes names as plain text.
    if (query.question.name.includes('\\')) return emptyReply('SERVFAIL');
    const { clock } = this.context;
    const deadlineMs = clock.monotonicMs() + DEADLINE_MS;
    let failure: unknown;
    for (let round = 0; round < ROUNDS; round++) {
      for (const upstream of this.inOrder()) {
        if (clock.monotonicMs() >= deadlineMs) throw failure;
        try {
          return await upstream.ask(query);
        } catch (error) {
          upstream.check();
          failure = error;
        }
      }
    }
    // SERVFAIL, and a line of the errors plugin.
    throw failure;
  }

  /** Those that are up; when none is, the checks may be wrong, and one is tried all the same. */
  private inOrder(): readonly Upstream[] {
    const { random } = this.context;
    const up = this.upstreams.filter(({ isDown }) => !isDown);
    if (up.length === 0) {
      this.broken.add();
      const chance = Math.floor(random.next() * this.upstreams.length);
      return this.upstreams.slice(chance, chance + 1);
    }
    const { policy } = this.options;
    if (policy === 'sequential') return up;
    const first = policy === 'random' ? Math.floor(random.next() * up.length) : this.turn++ % up.length;
    return [...up.slice(first), ...up.slice(0, first)];
  }

  /** At most once a minute: no way out is one fact, not one for every query. */
  private complain({ question, remote }: Query): void {
    // The server's own questions (of the loop plugin) are nobody's loss.
    if (remote.port === 0) return;
    const nowMs = this.context.clock.monotonicMs();
    if (nowMs < this.complainAfterMs) return;
    this.complainAfterMs = nowMs + COMPLAINT_INTERVAL_MS;
    const asked = `${question.name}. ${shownType(question.type)}`;
    const why = 'names outside the cluster get SERVFAIL: start the cluster with --egress host to ask them';
    this.context.print('WARNING', `plugin/forward: ${asked} -> ${this.targets}: ${why}`);
  }
}
