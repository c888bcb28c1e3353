/**
 * Writes one pod's status: changes are gathered, one write at a time is under way, and the latest state wins.
 * An unreachable apiserver is tried again until the pod is gone.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Pod, PodCondition, PodStatus } from 'kubernetes-types/core/v1.d.ts';
import { PODS } from '../../shared/api/resources.ts';
import { isApiError } from '../../shared/api/status.ts';
import type { ApiClient } from '../../shared/bus/api-client.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Logger } from '../../shared/runtime/log.ts';

const RETRY_MS = 500;

export class StatusWriter {
  private readonly pod: Pod;
  private readonly api: ApiClient;
  private readonly clock: Clock;
  private readonly log: Logger;
  private written: PodStatus | undefined;
  /** Of the object that the last write made. */
  private writtenRevision = 0;
  /** What was observed last while a write was under way. */
  private unjudged: Pod | undefined;
  private wanted: PodStatus | undefined;
  /** On its way to the API. */
  private sent: PodStatus | undefined;
  private writing: Promise<void> | undefined;
  private gone = false;

  constructor(pod: Pod, api: ApiClient, clock: Clock, log: Logger) {
    this.pod = pod;
    this.api = api;
    this.clock = clock;
    this.log = log;
  }

  /** Has the status written soon, unless it is what was written last or is being written. */
  offer(status: PodStatus): void {
    if (this.gone || isDeepStrictEqual(status, this.wanted ?? this.sent ?? this.written)) return;
    this.wanted = status;
    this.writing ??= this.writeAll();
  }

  /**
   * The pod as the cluster has it: conditions that somebody else changed since are put right, as the node controller's are that
   * took a node for silent.
   */
  observe(pod: Pod): void {
    if (this.writing !== undefined) this.unjudged = pod;
    else if (this.isContradicted(pod)) this.writeAgain();
  }

  private isContradicted({ metadata, status }: Pod): boolean {
    if (this.written === undefined || Number(metadata?.resourceVersion) <= this.writtenRevision) return false;
    return (this.written.conditions ?? []).some(
      (own) => status?.conditions?.find(({ type }) => type === own.type)?.status !== own.status,
    );
  }

  private writeAgain(): void {
    if (this.gone) return;
    this.wanted = this.written;
    this.writing = this.writeAll();
  }

  /** Resolves when everything offered is written. */
  async flushed(): Promise<void> {
    while (this.writing !== undefined) await this.writing;
  }

  /** The pod's object is gone: nothing is written any more. */
  close(): void {
    this.gone = true;
    this.wanted = undefined;
  }

  private async writeAll(): Promise<void> {
    // What one synchronous step of the worker changes goes out as one write.
    await Promise.resolve();
    while (this.wanted !== undefined && !this.gone) await this.write(this.wanted);
    this.writing = undefined;
    const { unjudged } = this;
    this.unjudged = undefined;
    if (unjudged !== undefined) this.observe(unjudged);
  }

  private async write(offered: PodStatus): Promise<void> {
    const { name = '', namespace, uid } = this.pod.metadata ?? {};
    let status = offered;
    // What came while the write waited for its turn goes with it: a pod that starts among many is written once.
    const body = () => {
      status = this.wanted ?? status;
      this.wanted = undefined;
      this.sent = status;
      return { metadata: { uid }, status: wholeStatus(status) };
    };
    try {
      const after = await this.api.patch<Pod>(PODS, name, namespace, {
        type: 'strategic',
        body,
        subresource: 'status',
      });
      this.written = status;
      this.writtenRevision = Number(after.metadata?.resourceVersion ?? 0);
    } catch (error) {
      if (isApiError(error, 'NotFound') || isApiError(error, 'Conflict')) {
        this.close();
        return;
      }
      this.log.warn({ error, pod: `${namespace}/${name}` }, 'the status could not be written; trying again');
      this.wanted ??= status;
      await this.clock.sleep(RETRY_MS);
    } finally {
      this.sent = undefined;
    }
  }
}

/** A patch merges addresses too: those of a sandbox that is gone would stay, and come first. */
function wholeStatus(status: PodStatus): Record<string, unknown> {
  const { conditions, hostIPs = [], podIPs } = status;
  return {
    ...status,
    conditions: conditions?.map(wholeCondition),
    hostIPs: [{ $patch: 'replace' }, ...hostIPs],
    ...(podIPs === undefined ? {} : { podIPs: [{ $patch: 'replace' }, ...podIPs] }),
  };
}

/** A patch merges conditions by type: what a condition does not say any more has to be taken away. */
function wholeCondition(condition: PodCondition): Record<string, unknown> {
  return { reason: null, message: null, ...condition };
}
