/** The node's Lease in kube-node-lease, renewed in its period: its age is how the control plane knows a node is alive. */
import { LEASES } from '../../shared/api/resources.ts';
import { isApiError } from '../../shared/api/status.ts';
import { formatMicroTimestamp } from '../../shared/api/timestamp.ts';
import type { ApiClient } from '../../shared/bus/api-client.ts';
import { untilNextBeatMs } from '../../shared/runtime/beat.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Logger } from '../../shared/runtime/log.ts';

const NAMESPACE = 'kube-node-lease';

export interface HeartbeatOptions {
  readonly nodeName: string;
  readonly nodeUid: string;
  readonly renewEveryMs: number;
  /** How long a silent node counts as alive. */
  readonly graceMs: number;
  readonly api: ApiClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Renews until `signal` is aborted; failures are retried with the next beat. */
export async function runHeartbeat(options: HeartbeatOptions): Promise<void> {
  const { clock, log, renewEveryMs, signal } = options;
  while (!signal.aborted) {
    try {
      await renew(options);
    } catch (error) {
      if (!signal.aborted) log.warn({ error }, 'the lease could not be renewed');
    }
    await clock.sleep(untilNextBeatMs(clock.nowMs(), renewEveryMs), signal);
  }
}

async function renew({ nodeName, nodeUid, graceMs, api, clock }: HeartbeatOptions): Promise<void> {
  const spec = {
    holderIdentity: nodeName,
    leaseDurationSeconds: Math.max(1, Math.round(graceMs / 1000)),
    renewTime: formatMicroTimestamp(clock.nowMs()),
  };
  try {
    await api.patch(LEASES, nodeName, NAMESPACE, { type: 'merge', body: { spec } });
  } catch (error) {
    if (!isApiError(error, 'NotFound')) throw error;
    const ownerReferences = [{ apiVersion: 'v1', kind: 'Node', name: nodeName, uid: nodeUid }];
    const metadata = { name: nodeName, namespace: NAMESPACE, ownerReferences };
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec };
    await api.create(LEASES, lease, { namespace: NAMESPACE });
  }
}
