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

const POLICY = (more: string) => `
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: { name: guard }
spec:
  tier: default
  order: 10
  selector: app == 'probe'
  ingress: [{ action: Deny, protocol: TCP, source: { selector: app == 'probe' }${more} }, { action: Allow }]
`;

let cluster: TestCluster | undefined;
beforeAll(async () => {
  cluster = await TestCluster.start({ nodes: 2, nodesDie: true, arguments: ['--cni', 'calico'] });
  await cluster?.apply(PODS);
  await cluster?.kubectlOut(['wait', 'pod', '-l', 'app=probe', '--for=condition=Ready', '--timeout=120s']);
});
afterAll(async () => {
  await cluster?.down();
});

test('pods, routes, birdc, policies, calicoctl, and what the death of a node does', async (context) => {
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

  expect(await c.kubectlOut(['get', 'tiers'])).toMatch(/^default +1e?\+?0*6? /m);
  await c.apply(POLICY(''));
  await waitFor('the policy to deny', async () => (await c.kubectl(connect)).stderr.startsWith('TIMEOUT'));
  const explained = await c.podwire(['explain', 'on-worker-1', `${far}:8080`]);
  expect(explained.stdout).toContain('calico GlobalNetworkPolicy guard');
  const refused = await c.kubectl(['apply', '-f', '-'], { input: POLICY(', http: { methods: [GET] }') });
  expect(refused.stderr).toContain('http: this emulation does not enforce it yet, so it is refused');
  await c.kubectlOut(['delete', 'globalnetworkpolicy', 'guard']);
  await waitFor('the pods to reach each other again', async () => (await c.kubectl(connect)).code === 0);

  expect(await onNode('calicoctl', 'node', 'status')).toMatch(
    /\| 192\.168\.1\.11 \| node-to-node mesh \| up +\| \S+ +\| Established \|/,
  );
  const blocks = await onNode('calicoctl', 'ipam', 'show', '--show-blocks');
  expect(blocks).toMatch(/\| IP Pool +\| 10\.244\.0\.0\/16 +\| +65536 \| +\d+ \(0%\)/);
  expect(blocks.match(/\| Block /g)).toHaveLength(2);
  expect(await onNode('calicoctl', 'ipam', 'show', `--ip=${far}`)).toContain('pod: on-worker-2');

  expect((await c.podwire(['node', 'kill', 'worker-2'])).code).toBe(0);
  await waitFor('the routes to go', async () => !(await onNode('ip', 'route')).includes('via 192.168.1.11'));
});
