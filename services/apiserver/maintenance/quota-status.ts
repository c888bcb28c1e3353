/**
 * The status of ResourceQuotas: their limits, and what is taken of them. Admission adds to it before an object is written;
 * here it is compared with what there is.
 */
import type { ResourceQuota } from 'kubernetes-types/core/v1.js';
import { isSame } from '../../../shared/api/json-equality.ts';
import { quantitiesOf } from '../../../shared/api/quota/amounts.ts';
import { RESOURCEQUOTAS } from '../../../shared/api/resources.ts';
import { isApiError } from '../../../shared/api/status.ts';
import { totalUsage } from '../registry/admission/quota-usage.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';
import type { CachedEntry } from '../storage/watch-cache.ts';

export class QuotaStatus {
  private readonly storage: ObjectStorage;
  /** What the last run has seen of each quota, by key. */
  private seen = new Map<string, number>();
  private seenRevision = 0;

  constructor(storage: ObjectStorage) {
    this.storage = storage;
  }

  async run(nowMs: number): Promise<void> {
    const quotas = this.storage.of(RESOURCEQUOTAS);
    if (quotas.size === 0) return;
    const { revision } = this.storage.cache;
    const before = this.seen;
    const nothingNew = revision === this.seenRevision;
    this.seenRevision = revision;
    this.seen = new Map(quotas.list().map((entry) => [entry.key, entry.revision]));
    if (nothingNew && [...this.seen].every(([key, seen]) => before.get(key) === seen)) return;
    for (const entry of quotas.list()) await this.correct(entry, before.get(entry.key), nowMs);
  }

  /**
   * What was added for an object that is just being written must not be taken off again: a quota that says something is left
   * alone until it has stood still for a run.
   */
  private async correct(entry: CachedEntry, seen: number | undefined, nowMs: number): Promise<void> {
    const quota = entry.object as unknown as ResourceQuota;
    const { hard = {} } = quota.spec ?? {};
    const saysNothing = !isSame(quota.status?.hard ?? {}, hard);
    if (!saysNothing && seen !== entry.revision) {
      // It is looked at again even when nothing else happens meanwhile.
      this.seenRevision = 0;
      return;
    }
    const status = { hard, used: quantitiesOf(totalUsage(this.storage, quota, nowMs)) };
    if (isSame(status, quota.status)) return;
    const { name = '', namespace } = entry.object.metadata;
    try {
      await this.storage.update(RESOURCEQUOTAS, name, namespace, (current) =>
        current === entry.object ? { kind: 'write', object: { ...current, status } } : { kind: 'unchanged' },
      );
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }
}
