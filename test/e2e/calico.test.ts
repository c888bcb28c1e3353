/** calico on a real cluster: pods of two nodes talk through IP-in-IP by routes that BGP brought, and a killed node's go. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';

const PODS = ['worker-1', 'worker-2']
  .map(
    (node) => `
apiVersion: v1
kind: Pod
metadata: { name: on-${node}, labels: { app: probe } }
spec: { nodeName: ${node}, containers: [{ name: c, image: agnhost, args: [netexec, --http-port=8080] }] }
---`,
  )
  .join('');

let cluster: TestCluster | undefined;
beforeAll(async () => {
  cluster = await TestCluster.start({ nodes: 2, nodesDie: true, arguments: ['--cni', 'calico'] });
  await cluster?.apply(PODS);
  await cluster?.kubectlOut(['wait', 'pod', '-l', 'app=probe', '--for=condition=Ready', '--timeout=120s']);
});
afterAll(async () => {
  await cluster?.down();
});

test('pods, routes, birdc, and what the death of a node does', async (context) => {
  if (cluster === undefined) {
    context.skip('no kubectl on this machine');
    return;
  }
  const c = cluster;
  const onNode = async (...command: string[]) =>
    (await c.podwire(['node', 'exec', 'worker-1', '--', ...command])).stdout;
  const podIp = async (name: string) => await c.kubectlOut(['get', 'pod', name, '-o', 'jsonpath={.status.podIP}']);
  const far = await podIp('on-worker-2');
  const connect = ['exec', 'on-worker-1', '--', '/agnhost', 'connect', `${far}:8080`, '--timeout=2s'];
  await waitFor('the pods to reach each other', async () => (await c.kubectl(connect)).code === 0);
  expect(await onNode('ip', 'route')).toMatch(/\/26 via 192\.168\.1\.11 dev tunl0 proto bird onlink/);
  expect(await onNode('birdc', 'show', 'protocols')).toMatch(/Mesh_192_168_1_11 +BGP +master +up +\S+ +Established/);

  expect((await c.podwire(['node', 'kill', 'worker-2'])).code).toBe(0);
  await waitFor('the routes to go', async () => !(await onNode('ip', 'route')).includes('via 192.168.1.11'));
});
