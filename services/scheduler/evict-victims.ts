/** Tells the pods that have to make room, and deletes them. */
import type { Pod } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../shared/api/live.ts';
import { isTerminating } from '../../shared/api/pod-condition.ts';
import { PODS } from '../../shared/api/resources.ts';
import { formatTimestamp } from '../../shared/api/timestamp.ts';
import type { ApiClient } from '../../shared/bus/api-client.ts';
import type { EventRecorder } from '../../shared/bus/event-recorder.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Logger } from '../../shared/runtime/log.ts';
import type { Preemption } from './preemption.ts';

export interface EvictionParts {
  readonly api: ApiClient;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A victim that cannot be deleted now is chosen again with the pod's next attempt. */
export async function evictVictims(
  parts: EvictionParts,
  preemptor: Live<Pod>,
  { nodeName, victims }: Preemption,
): Promise<void> {
  await Promise.all(
    victims.map(async (victim) => {
      if (isTerminating(victim)) return;
      const { name, namespace, uid } = victim.metadata;
      try {
        await evict(parts, victim);
        const about = { apiVersion: 'v1', kind: 'Pod', name, namespace, uid };
        parts.events.record(
          about,
          'Normal',
          'Preempted',
          `Preempted by pod ${preemptor.metadata.uid} on node ${nodeName}`,
        );
      } catch (error) {
        parts.log.debug({ error, pod: `${namespace ?? ''}/${name}` }, 'a pod could not be preempted');
      }
    }),
  );
}

async function evict({ api, clock }: EvictionParts, victim: Live<Pod>): Promise<void> {
  const { name, namespace, uid } = victim.metadata;
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'PreemptionByScheduler',
    message: 'default-scheduler: preempting to accommodate a higher priority pod',
    lastTransitionTime: formatTimestamp(clock.nowMs()),
  };
  const body = { metadata: { uid }, status: { conditions: [condition] } };
  await api.patch(PODS, name, namespace, { type: 'strategic', body, subresource: 'status' });
  await api.delete(PODS, name, namespace, { uid });
}
