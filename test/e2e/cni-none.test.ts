/** A cluster without a network, and what `labs/cni/flannel.yaml` makes of it. */
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';

const MANIFEST = resolve(import.meta.dirname, '../../labs/cni/flannel.yaml');
const NOT_READY =
  'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady ' +
  'message:Network plugin returns error: cni plugin not initialized';
const POD = (node: string) => `
apiVersion: v1
kind: Pod
metadata: { name: on-${node}, labels: { app: probe } }
spec:
  nodeName: ${node}
  containers: [{ name: c, image: agnhost, args: [netexec, --http-port=8080] }]
---`;

let cluster: TestCluster | undefined;
beforeAll(async () => {
  cluster = await TestCluster.start({ nodes: 2, arguments: ['--cni', 'none'] });
});
afterAll(async () => {
  await cluster?.down();
});

it('nodes are NotReady until a DaemonSet brings a network', async (context) => {
  if (cluster === undefined) {
    context.skip('no kubectl on this machine');
    return;
  }
  const c = cluster;
  const ready = '{.status.conditions[?(@.type=="Ready")].message}';
  await c.waitForField(['node', 'worker-1'], ready, NOT_READY);
  await c.apply(['worker-1', 'worker-2'].map(POD).join(''));
  await waitFor('the event of the pod that waits', async () =>
    (await c.kubectlOut(['get', 'events'])).includes('cni config uninitialized'),
  );

  await c.kubectlOut(['apply', '-f', MANIFEST]);
  await c.kubectlOut(['wait', '--for=condition=Ready', 'node', '--all', '--timeout=120s']);
  await c.kubectlOut(['wait', 'pod', '-l', 'app=probe', '--for=condition=Ready', '--timeout=120s']);
  const far = await c.kubectlOut(['get', 'pod', 'on-worker-2', '-o', 'jsonpath={.status.podIP}']);
  const connect = ['exec', 'on-worker-1', '--', '/agnhost', 'connect', `${far}:8080`, '--timeout=2s'];
  await waitFor('the pods to reach each other', async () => (await c.kubectl(connect)).code === 0);

  const onNode = async (...command: string[]) =>
    (await c.podwire(['node', 'exec', 'worker-1', '--', ...command])).stdout;
  expect(JSON.parse(await onNode('cat', '/etc/cni/net.d/10-flannel.conflist'))).toMatchObject({
    name: 'cbr0',
    plugins: [{ type: 'flannel', delegate: { hairpinMode: true } }, { type: 'portmap' }],
  });
  expect(await onNode('cat', '/run/flannel/subnet.env')).toMatch(
    /FLANNEL_NETWORK=10\.244\.0\.0\/16\nFLANNEL_SUBNET=10\.244\.\d\.1\/24\nFLANNEL_MTU=1450\n/,
  );
  expect(await c.kubectlOut(['logs', '-n', 'kube-system', '-l', 'app=flannel', '--tail=-1'])).toContain(
    'Found network config - Backend type: vxlan',
  );

  await c.apply(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: deny }
spec: { podSelector: {}, policyTypes: [Ingress] }
`);
  await waitFor('the event of the policy without effect', async () =>
    (await c.kubectlOut(['get', 'events'])).includes("the CNI plugin 'flannel' does not enforce NetworkPolicies"),
  );
});
