/**
 * Keeps replies for the shortest of their TTLs, within bounds; what is kept carries the time that is left.
 * Answers and denials have a table each; a full table gives up its oldest entry.
 */
import { type Answering, promised, whenAnswered } from '../../answering.ts';
import { emptyReply, type Reply } from '../../message.ts';
import type { Handler, PluginContext, PluginSetup, Query } from '../../plugin.ts';
import { matchingZone } from '../../zone.ts';
import { CacheMetrics } from './cache-metrics.ts';
import { type CacheOptions, parseCacheOptions } from './options.ts';
import { type CachedReply, ReplyTable } from './reply-table.ts';

/** How long `serve_stale verify` waits for a fresh answer. */
const VERIFY_MS = 5000;

export const setupCache: PluginSetup = (directive, context) => {
  const options = parseCacheOptions(directive, context.zones);
  const cache = new Cache(options, context);
  let hideEntries: (() => void) | undefined;
  return {
    start: () => {
      hideEntries = cache.showEntries();
    },
    stop: () => hideEntries?.(),
    handler: (next) => (query) => {
      const { key, type } = query.question;
      // A zone transfer is no answer of one name.
      if (type === 'AXFR' || type === 'IXFR' || matchingZone(key, options.zones) === undefined) return next(query);
      return cache.answer(query, next);
    },
  };
};

class Cache {
  private readonly options: CacheOptions;
  private readonly context: PluginContext;
  private readonly success: ReplyTable;
  private readonly denial: ReplyTable;
  private readonly metrics: CacheMetrics;

  constructor(options: CacheOptions, context: PluginContext) {
    this.options = options;
    this.context = context;
    this.metrics = new CacheMetrics(options.zones, context);
    const { evictions } = this.metrics;
    this.success = new ReplyTable(options.success, () => evictions.success.add());
    this.denial = new ReplyTable(options.denial, () => evictions.denial.add());
  }

  showEntries(): () => void {
    const hide = [
      this.metrics.showEntries('success', () => this.success.size),
      this.metrics.showEntries('denial', () => this.denial.size),
    ];
    return () => {
      for (const one of hide) one();
    };
  }

  answer(query: Query, next: Handler): Answering {
    const key = keyOf(query);
    const nowMs = this.context.clock.monotonicMs();
    const { metrics } = this;
    metrics.requests.add();
    const positive = this.success.get(key);
    const kept = positive ?? this.denial.get(key);
    if (kept === undefined || nowMs >= kept.expiresMs + this.options.staleMs) {
      metrics.misses.add();
      return this.ask(key, query, next);
    }
    (positive === undefined ? metrics.hits.denial : metrics.hits.success).add();
    if (nowMs < kept.expiresMs) {
      this.prefetch(key, kept, query, next, nowMs);
      return this.shown(kept, nowMs);
    }
    metrics.servedStale.add();
    if (this.options.staleVerify) return this.verified(key, kept, query, next);
    this.refresh(key, kept, query, next);
    return kept.shownAt(nowMs);
  }

  private ask(key: string, query: Query, next: Handler): Answering {
    return whenAnswered(next(query), (reply) => {
      const kept = this.keep(key, query, reply);
      // The first answer shows the TTL that the later ones count down from.
      return kept === undefined ? reply : this.shown(kept, kept.storedMs);
    });
  }

  /** Asks beside the answer that was given; a failure leaves what is kept as it is. */
  private refresh(key: string, kept: CachedReply, query: Query, next: Handler): void {
    if (kept.refreshing) return;
    kept.refreshing = true;
    const failed = (why: string): void => {
      kept.refreshing = false;
      this.context.print('WARNING', `plugin/cache: ${query.question.name}. could not be refreshed: ${why}`);
    };
    promised(() => next(query)).then(
      (reply) => {
        if (reply.rcode === 'SERVFAIL') failed('SERVFAIL');
        else this.keep(key, query, reply);
        kept.refreshing = false;
      },
      (error: unknown) => failed(error instanceof Error ? error.message : String(error)),
    );
  }

  /** A fresh answer, and the old one only when there is none. */
  private async verified(key: string, kept: CachedReply, query: Query, next: Handler): Promise<Reply> {
    const fresh = await Promise.race([
      promised(() => next(query)).catch(() => emptyReply('SERVFAIL')),
      this.context.clock.sleep(VERIFY_MS).then(() => emptyReply('SERVFAIL')),
    ]);
    if (fresh.rcode === 'SERVFAIL') return kept.shownAt(this.context.clock.monotonicMs());
    const now = this.keep(key, query, fresh);
    return now === undefined ? fresh : this.shown(now, now.storedMs);
  }

  /** Undefined for what is not kept. */
  private keep(key: string, query: Query, reply: Reply): CachedReply | undefined {
    const nowMs = this.context.clock.monotonicMs();
    const { withoutSuccess, withoutDenial, servfailMs } = this.options;
    const { rcode, answers } = reply;
    const isIn = (zones: readonly string[]): boolean => matchingZone(query.question.key, zones) !== undefined;
    // Whoever asked over TCP would get the part of it that fitted a datagram.
    if (reply.dropped || reply.passing || reply.truncated || reply.following !== undefined) return undefined;
    if (rcode === 'SERVFAIL') {
      if (servfailMs > 0) this.denial.putUntil(key, reply, nowMs, nowMs + servfailMs);
      return undefined;
    }
    if (rcode === 'NXDOMAIN' || (rcode === 'NOERROR' && answers.length === 0)) {
      if (isIn(withoutDenial)) return undefined;
      this.success.delete(key);
      return this.denial.put(key, reply, nowMs);
    }
    if (rcode !== 'NOERROR' || isIn(withoutSuccess)) return undefined;
    this.denial.delete(key);
    return this.success.put(key, reply, nowMs);
  }

  private shown(kept: CachedReply, nowMs: number): Reply {
    return this.options.keepTtl ? kept.unchanged() : kept.shownAt(nowMs);
  }

  private prefetch(key: string, kept: CachedReply, query: Query, next: Handler, nowMs: number): void {
    const { prefetch } = this.options;
    if (prefetch === undefined) return;
    kept.hits = nowMs - kept.lastHitMs > prefetch.withinMs ? 1 : kept.hits + 1;
    kept.lastHitMs = nowMs;
    const isDue = kept.expiresMs - nowMs <= (kept.expiresMs - kept.storedMs) * prefetch.remainingShare;
    if (kept.hits < prefetch.amount || !isDue) return;
    if (!kept.refreshing) this.metrics.prefetches.add();
    this.refresh(key, kept, query, next);
  }
}

/** The common end of keys: to put one together of all its parts is most of a look-up's cost. */
const PLAIN_ENDS: Readonly<Record<string, string>> = { A: ' A IN 0', AAAA: ' AAAA IN 0' };

function keyOf({ question, edns, checkingDisabled }: Query): string {
  const flags = (edns?.dnssecOk ? 1 : 0) | (checkingDisabled ? 2 : 0);
  const plainEnd = flags === 0 && question.class === 'IN' ? PLAIN_ENDS[question.type] : undefined;
  return question.key + (plainEnd ?? ` ${question.type} ${question.class} ${flags}`);
}
