/** A bounded table of replies with their time of expiry. */
import { expectRepeats, type Reply, type ResourceRecord } from '../../message.ts';

export interface TableLimits {
  readonly capacity: number;
  readonly maxTtlSeconds: number;
  readonly minTtlSeconds: number;
}

export class CachedReply {
  readonly storedMs: number;
  readonly expiresMs: number;
  /** Hits in a row, none of them long after the one before. */
  hits = 0;
  lastHitMs: number;
  refreshing = false;
  private readonly reply: Reply;
  private shown: Reply | undefined;
  private shownTtlSeconds = -1;

  constructor(reply: Reply, storedMs: number, expiresMs: number) {
    this.reply = reply;
    this.storedMs = storedMs;
    this.expiresMs = expiresMs;
    this.lastHitMs = storedMs;
  }

  /** The reply with the time that is left as every record's TTL; one object for a whole second. */
  shownAt(nowMs: number): Reply {
    const ttlSeconds = Math.max(0, Math.ceil((this.expiresMs - nowMs) / 1000));
    if (this.shown === undefined || ttlSeconds !== this.shownTtlSeconds) {
      this.shownTtlSeconds = ttlSeconds;
      this.shown = withTtl(this.reply, ttlSeconds);
      expectRepeats(this.shown);
    }
    return this.shown;
  }

  /** As it was when it was stored. */
  unchanged(): Reply {
    expectRepeats(this.reply);
    return this.reply;
  }
}

export class ReplyTable {
  private readonly limits: TableLimits;
  private readonly evicted: () => void;
  private readonly entries = new Map<string, CachedReply>();

  constructor(limits: TableLimits, evicted: () => void) {
    this.limits = limits;
    this.evicted = evicted;
  }

  get size(): number {
    return this.entries.size;
  }

  /** Also what is over: the caller knows whether that still serves. */
  get(key: string): CachedReply | undefined {
    return this.entries.get(key);
  }

  /** Until the shortest TTL of the reply's records is over, within the limits. */
  put(key: string, reply: Reply, nowMs: number): CachedReply {
    const { minTtlSeconds, maxTtlSeconds } = this.limits;
    let ttlSeconds = Number.POSITIVE_INFINITY;
    for (const record of reply.answers) ttlSeconds = Math.min(ttlSeconds, ttlOf(record));
    for (const record of reply.authorities) ttlSeconds = Math.min(ttlSeconds, ttlOf(record));
    if (ttlSeconds === Number.POSITIVE_INFINITY) ttlSeconds = 0;
    const keptSeconds = Math.min(Math.max(ttlSeconds, minTtlSeconds), maxTtlSeconds);
    return this.putUntil(key, reply, nowMs, nowMs + keptSeconds * 1000);
  }

  putUntil(key: string, reply: Reply, nowMs: number, expiresMs: number): CachedReply {
    const kept = new CachedReply(reply, nowMs, expiresMs);
    this.entries.delete(key);
    if (this.entries.size >= this.limits.capacity) {
      const oldest = this.entries.keys().next();
      if (!oldest.done && this.entries.delete(oldest.value)) this.evicted();
    }
    this.entries.set(key, kept);
    return kept;
  }

  delete(key: string): void {
    this.entries.delete(key);
  }
}

function ttlOf(record: ResourceRecord): number {
  return 'ttl' in record ? (record.ttl ?? 0) : 0;
}

function withTtl(reply: Reply, ttl: number): Reply {
  const changed = (records: readonly ResourceRecord[]): ResourceRecord[] =>
    records.map((record) => ({ ...record, ttl }) as ResourceRecord);
  return {
    ...reply,
    answers: changed(reply.answers),
    authorities: changed(reply.authorities),
    additionals: changed(reply.additionals),
  };
}
