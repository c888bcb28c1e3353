/** A bounded table of replies with their time of expiry. */
import type { Reply, ResourceRecord } from '../../message.ts';

export interface TableLimits {
  /** 0 keeps nothing. */
  readonly capacity: number;
  readonly maxTtlSeconds: number;
  readonly minTtlSeconds: number;
}

export interface CachedReply {
  readonly reply: Reply;
  readonly storedMs: number;
  readonly expiresMs: number;
  hits: number;
  refreshing: boolean;
}

export class ReplyTable {
  private readonly limits: TableLimits;
  private readonly entries = new Map<string, CachedReply>();

  constructor(limits: TableLimits) {
    this.limits = limits;
  }

  get size(): number {
    return this.entries.size;
  }

  /** Also what is over: the caller knows whether that still serves. */
  get(key: string): CachedReply | undefined {
    return this.entries.get(key);
  }

  put(key: string, reply: Reply, nowMs: number): void {
    const { minTtlSeconds, maxTtlSeconds } = this.limits;
    const shortest = Math.min(...[...reply.answers, ...reply.authorities].map(ttlOf));
    const ttlSeconds = Math.min(Math.max(Number.isFinite(shortest) ? shortest : 0, minTtlSeconds), maxTtlSeconds);
    this.putUntil(key, reply, nowMs, nowMs + ttlSeconds * 1000);
  }

  putUntil(key: string, reply: Reply, nowMs: number, expiresMs: number): void {
    const { capacity } = this.limits;
    if (capacity === 0) return;
    this.entries.delete(key);
    const oldest = this.entries.keys().next();
    if (this.entries.size >= capacity && !oldest.done) this.entries.delete(oldest.value);
    this.entries.set(key, { reply, storedMs: nowMs, expiresMs, hits: 0, refreshing: false });
  }

  delete(key: string): void {
    this.entries.delete(key);
  }
}

function ttlOf(record: ResourceRecord): number {
  return 'ttl' in record ? (record.ttl ?? 0) : 0;
}

/** The reply with the TTLs that are left after `seconds`. */
export function withAge(reply: Reply, seconds: number): Reply {
  if (seconds === 0) return reply;
  const age = (records: readonly ResourceRecord[]): ResourceRecord[] =>
    records.map((record) => ({ ...record, ttl: Math.max(0, ttlOf(record) - seconds) }) as ResourceRecord);
  return {
    ...reply,
    answers: age(reply.answers),
    authorities: age(reply.authorities),
    additionals: age(reply.additionals),
  };
}
