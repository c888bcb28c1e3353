/**
 * What a controller wrote and its informers have not shown yet. Until they have, the key is not reconciled again: a decision on
 * the old state would make the same pod a second time. Revisions are cluster-wide, so "shown" is a comparison of numbers.
 */
import { isTerminating } from '../../shared/api/pod-condition.ts';
import type { ResourceRef } from '../../shared/api/resource.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Informers } from './informers.ts';

interface Expectation {
  readonly resource: ResourceRef;
  readonly name: string;
  readonly namespace: string | undefined;
  /** At least this revision; undefined for a delete. */
  readonly revision: number | undefined;
  readonly uid: string | undefined;
  readonly giveUpAtMs: number;
}

/** A lost event must not stop a controller for ever. */
const GIVE_UP_AFTER_MS = 30_000;

export class Expectations {
  private readonly informers: Pick<Informers, 'find'>;
  private readonly clock: Clock;
  private readonly pending = new Map<string, Expectation[]>();

  constructor(informers: Pick<Informers, 'find'>, clock: Clock) {
    this.informers = informers;
    this.clock = clock;
  }

  /** After a create, update or patch that answered with this object. */
  expectWritten(key: string, resource: ResourceRef, written: unknown): void {
    const { name, namespace, uid, resourceVersion } = (written as { metadata: Record<string, string | undefined> })
      .metadata;
    this.add(key, resource, name ?? '', namespace, uid, Number(resourceVersion));
  }

  /** After a delete: the object is gone, another one, or on its way out. */
  expectDeleted(key: string, resource: ResourceRef, name: string, namespace: string | undefined, uid?: string): void {
    this.add(key, resource, name, namespace, uid, undefined);
  }

  /** All that was written for the key has been seen. */
  met(key: string): boolean {
    const waiting = this.pending.get(key);
    if (waiting === undefined) return true;
    for (let last = waiting.at(-1); last !== undefined; last = waiting.at(-1)) {
      if (!this.isMet(last) && this.clock.monotonicMs() < last.giveUpAtMs) return false;
      waiting.pop();
    }
    this.pending.delete(key);
    return true;
  }

  private add(
    key: string,
    resource: ResourceRef,
    name: string,
    namespace: string | undefined,
    uid: string | undefined,
    revision: number | undefined,
  ): void {
    const giveUpAtMs = this.clock.monotonicMs() + GIVE_UP_AFTER_MS;
    const expectation: Expectation = { resource, name, namespace, uid, revision, giveUpAtMs };
    if (this.isMet(expectation)) return;
    const waiting = this.pending.get(key);
    if (waiting === undefined) this.pending.set(key, [expectation]);
    else waiting.push(expectation);
  }

  private isMet({ resource, name, namespace, uid, revision }: Expectation): boolean {
    const informer = this.informers.find(resource);
    if (informer === undefined) return true;
    const seen = informer.get(name, namespace);
    if (revision === undefined) return seen === undefined || isTerminating(seen) || seen.metadata.uid !== uid;
    if (Number.isNaN(revision)) return true;
    return informer.revision >= revision || Number(seen?.metadata.resourceVersion ?? 0) >= revision;
  }
}
