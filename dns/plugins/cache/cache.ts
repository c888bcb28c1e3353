/**
 * Keeps replies for the shortest of their TTLs, within bounds; what comes from the cache carries the time that is left.
 * Answers and denials have a table each; a full table gives up its oldest entry.
 */
import type { Directive } from '../../corefile.ts';
import { durationWord, expectWords, integerWord, unknownProperty, wrong } from '../../directive.ts';
import type { Reply } from '../../message.ts';
import type { Handler, PluginContext, PluginSetup, Query } from '../../plugin.ts';
import { matchingZone, zonesOf } from '../../zone.ts';
import { type CachedReply, ReplyTable, type TableLimits, withAge } from './reply-table.ts';

interface CacheOptions {
  readonly zones: readonly string[];
  readonly success: TableLimits;
  readonly denial: TableLimits;
  readonly servfailMs: number;
  /** Answers that are over may be served for so long when no fresh one can be had; 0: never. */
  readonly staleMs: number;
  /** Popular names are asked for again before they run out. */
  readonly prefetch: { readonly amount: number; readonly remainingShare: number } | undefined;
  readonly keepTtl: boolean;
}

const CAPACITY = 9984;
const SUCCESS_TTL_SECONDS = 3600;
const DENIAL_TTL_SECONDS = 1800;
const LEAST_TTL_SECONDS = 5;
const LONGEST_TTL_SECONDS = 86_400;
const SERVFAIL_MS = 5000;
const STALE_MS = 3_600_000;
const PROPERTIES = ['success', 'denial', 'prefetch', 'serve_stale', 'servfail', 'disable', 'keepttl'];

export const setupCache: PluginSetup = (directive, context) => {
  const options = parseOptions(directive, context.zones);
  const cache = new Cache(options, context);
  return {
    handler: (next) => (query) =>
      matchingZone(query.question.key, options.zones) === undefined ? next(query) : cache.answer(query, next),
  };
};

class Cache {
  private readonly options: CacheOptions;
  private readonly context: PluginContext;
  private readonly success: ReplyTable;
  private readonly denial: ReplyTable;

  constructor(options: CacheOptions, context: PluginContext) {
    this.options = options;
    this.context = context;
    this.success = new ReplyTable(options.success);
    this.denial = new ReplyTable(options.denial);
  }

  async answer(query: Query, next: Handler): Promise<Reply> {
    const key = keyOf(query);
    const nowMs = this.context.clock.monotonicMs();
    const kept = this.success.get(key) ?? this.denial.get(key);
    if (kept === undefined) return this.ask(key, query, next);
    if (nowMs < kept.expiresMs) {
      this.prefetch(key, kept, query, next, nowMs);
      return this.aged(kept, nowMs);
    }
    if (nowMs >= kept.expiresMs + this.options.staleMs) return this.ask(key, query, next);
    this.refresh(key, query, next);
    return withAge(kept.reply, Number.POSITIVE_INFINITY);
  }

  private async ask(key: string, query: Query, next: Handler): Promise<Reply> {
    const reply = await next(query);
    this.keep(key, reply);
    return reply;
  }

  /** Asks beside the answer that was given; a failure leaves what is kept as it is. */
  private refresh(key: string, query: Query, next: Handler): void {
    this.ask(key, query, next).catch((error: unknown) => {
      const text = error instanceof Error ? error.message : String(error);
      this.context.print('WARNING', `plugin/cache: ${query.question.name}. could not be refreshed: ${text}`);
    });
  }

  private keep(key: string, reply: Reply): void {
    const nowMs = this.context.clock.monotonicMs();
    if (reply.rcode === 'SERVFAIL') {
      if (this.options.servfailMs > 0) this.denial.putUntil(key, reply, nowMs, nowMs + this.options.servfailMs);
    } else if (reply.rcode === 'NXDOMAIN' || (reply.rcode === 'NOERROR' && reply.answers.length === 0)) {
      this.denial.put(key, reply, nowMs);
    } else if (reply.rcode === 'NOERROR') {
      this.success.put(key, reply, nowMs);
      this.denial.delete(key);
    }
  }

  private aged(kept: CachedReply, nowMs: number): Reply {
    return this.options.keepTtl ? kept.reply : withAge(kept.reply, Math.floor((nowMs - kept.storedMs) / 1000));
  }

  private prefetch(key: string, kept: CachedReply, query: Query, next: Handler, nowMs: number): void {
    const { prefetch } = this.options;
    if (prefetch === undefined || ++kept.hits < prefetch.amount || kept.refreshing) return;
    if (kept.expiresMs - nowMs > (kept.expiresMs - kept.storedMs) * prefetch.remainingShare) return;
    kept.refreshing = true;
    this.refresh(key, query, next);
  }
}

function keyOf({ question, edns, checkingDisabled }: Query): string {
  return `${question.key} ${question.type} ${question.class} ${edns?.dnssecOk ? 1 : 0}${checkingDisabled ? 1 : 0}`;
}

function parseOptions(directive: Directive, serverZones: readonly string[]): CacheOptions {
  const hasTtl = /^\d+$/.test(directive.words[0] ?? '');
  const ttl = hasTtl ? integerWord(directive, 0, 1, LONGEST_TTL_SECONDS) : undefined;
  const zones = directive.words.slice(hasTtl ? 1 : 0).flatMap((word) => zonesOf(word, directive));
  const limits = (most: number): TableLimits => ({
    capacity: CAPACITY,
    maxTtlSeconds: Math.min(ttl ?? most, most),
    minTtlSeconds: LEAST_TTL_SECONDS,
  });
  let options: CacheOptions = {
    zones: zones.length === 0 ? serverZones : zones,
    success: limits(SUCCESS_TTL_SECONDS),
    denial: limits(DENIAL_TTL_SECONDS),
    servfailMs: SERVFAIL_MS,
    staleMs: 0,
    prefetch: undefined,
    keepTtl: false,
  };
  for (const property of directive.block ?? []) options = { ...options, ...readProperty(property, options) };
  return options;
}

function readProperty(property: Directive, options: CacheOptions): Partial<CacheOptions> {
  switch (property.name) {
    case 'success':
      return { success: tableLimits(property, options.success) };
    case 'denial':
      return { denial: tableLimits(property, options.denial) };
    case 'disable':
      if (property.words[0] === 'success') return { success: { ...options.success, capacity: 0 } };
      if (property.words[0] === 'denial') return { denial: { ...options.denial, capacity: 0 } };
      throw wrong(property, "'success' or 'denial'");
    case 'servfail':
      expectWords(property, 1, 1, 'a duration such as 5s');
      return { servfailMs: durationWord(property, 0) };
    case 'serve_stale':
      return { staleMs: property.words[0] === undefined ? STALE_MS : durationWord(property, 0) };
    case 'prefetch':
      return { prefetch: prefetchOf(property) };
    case 'keepttl':
      expectWords(property, 0, 0, 'no argument');
      return { keepTtl: true };
    default:
      throw unknownProperty('cache', property, PROPERTIES);
  }
}

/** `success CAPACITY [TTL] [MINTTL]` */
function tableLimits(property: Directive, before: TableLimits): TableLimits {
  expectWords(property, 1, 3, 'CAPACITY [TTL] [MINTTL]');
  const { words } = property;
  return {
    capacity: integerWord(property, 0, 1, 10_000_000),
    maxTtlSeconds: words[1] === undefined ? before.maxTtlSeconds : integerWord(property, 1, 1, LONGEST_TTL_SECONDS),
    minTtlSeconds: words[2] === undefined ? before.minTtlSeconds : integerWord(property, 2, 0, LONGEST_TTL_SECONDS),
  };
}

/** `prefetch AMOUNT [DURATION] [PERCENTAGE%]`; the duration over which hits count is not kept apart from the TTL. */
function prefetchOf(property: Directive): CacheOptions['prefetch'] {
  expectWords(property, 1, 3, 'AMOUNT [DURATION] [PERCENTAGE%]');
  const amount = integerWord(property, 0, 0, 1_000_000);
  if (property.words[1] !== undefined) durationWord(property, 1);
  const percent = /^(\d{1,2})%$/.exec(property.words[2] ?? '10%')?.[1];
  if (percent === undefined) throw wrong(property, 'a percentage such as 10%');
  return { amount, remainingShare: Number(percent) / 100 };
}
