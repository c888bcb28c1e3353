/** Pods for which room is being made on a node (`status.nominatedNodeName`): nobody of less importance may take it meanwhile. */
import type { Pod } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../shared/api/live.ts';
import { type ScheduledPod, scheduledPod } from './node-info.ts';
import { priorityOf } from './preemption.ts';

interface Nomination {
  readonly pod: Live<Pod>;
  readonly nodeName: string;
}

export class Nominations {
  private readonly byUid = new Map<string, Nomination>();

  /** Undefined when the pod has none. */
  nodeOf(uid: string): string | undefined {
    return this.byUid.get(uid)?.nodeName;
  }

  set(pod: Live<Pod>, nodeName: string): void {
    this.byUid.set(pod.metadata.uid, { pod, nodeName });
  }

  remove(uid: string): void {
    this.byUid.delete(uid);
  }

  /** By node: those whom the pod has to leave room for. */
  before(pod: Live<Pod>): ReadonlyMap<string, readonly ScheduledPod[]> {
    const found = new Map<string, ScheduledPod[]>();
    for (const { pod: other, nodeName } of this.byUid.values()) {
      if (other.metadata.uid === pod.metadata.uid || priorityOf(other) < priorityOf(pod)) continue;
      const entries = found.get(nodeName) ?? [];
      entries.push(scheduledPod(other));
      found.set(nodeName, entries);
    }
    return found;
  }

  /** Those on a node that a pod of the priority has pushed aside. */
  below(priority: number, nodeName: string): Live<Pod>[] {
    const pushed = [...this.byUid.values()].filter(
      (nomination) => nomination.nodeName === nodeName && priorityOf(nomination.pod) < priority,
    );
    return pushed.map(({ pod }) => pod);
  }
}
