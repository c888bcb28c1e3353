/**
 * A process that wants to lead, by a Lease and @kubernetes/client-node: `node leader-candidate.ts IDENTITY`. It prints
 * `leads` when it begins to and, as long as it does, `TIME TRANSITIONS` with every renewal.
 */
import { ApiException, CoordinationV1Api, KubeConfig, type V1Lease, V1MicroTime } from '@kubernetes/client-node';

const NAMESPACE = 'default';
const NAME = 'elected';
const LEASE_SECONDS = 5;
const RETRY_MS = 100;

const identity = process.argv[2] ?? '';
const config = new KubeConfig();
config.loadFromDefault();
const api = config.makeApiClient(CoordinationV1Api);
let leads = false;

async function tryToLead(): Promise<void> {
  const lease = await readLease();
  const now = new V1MicroTime();
  if (lease === undefined) {
    const spec = { holderIdentity: identity, leaseDurationSeconds: LEASE_SECONDS, renewTime: now, leaseTransitions: 0 };
    await api.createNamespacedLease({ namespace: NAMESPACE, body: { metadata: { name: NAME }, spec } });
    return;
  }
  const { holderIdentity, renewTime, leaseTransitions = 0 } = lease.spec ?? {};
  const isMine = holderIdentity === identity;
  // The client's type says a date, what it gives is text.
  const isOver = Date.now() - Date.parse(String(renewTime)) > LEASE_SECONDS * 1000;
  if (!isMine && !isOver) return;
  const transitions = leaseTransitions + (isMine ? 0 : 1);
  const spec = { ...lease.spec, holderIdentity: identity, renewTime: now, leaseTransitions: transitions };
  // The resourceVersion that was read makes it a compare-and-set.
  await api.replaceNamespacedLease({ namespace: NAMESPACE, name: NAME, body: { ...lease, spec } });
  if (!leads) process.stdout.write('leads\n');
  leads = true;
  process.stdout.write(`${now.getTime()} ${transitions}\n`);
}

async function readLease(): Promise<V1Lease | undefined> {
  try {
    return await api.readNamespacedLease({ namespace: NAMESPACE, name: NAME });
  } catch (error) {
    if (error instanceof ApiException && error.code === 404) return undefined;
    throw error;
  }
}

for (;;) {
  try {
    await tryToLead();
  } catch (error) {
    // Somebody else was faster.
    if (!(error instanceof ApiException && error.code === 409)) throw error;
  }
  await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
}
