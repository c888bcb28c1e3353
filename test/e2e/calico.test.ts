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

const WITHOUT_MESH = `
apiVersion: projectcalico.org/v3
kind: BGPConfiguration
metadata: { name: default }
spec: { nodeToNodeMeshEnabled: false, asNumber: 64512 }
`;

const REFLECTORS = `
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: { name: reflectors }
spec: { nodeSelector: all(), peerSelector: has(reflector) }
`;

const NETWORK_SET = (address: string) => `
apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata: { name: partners, labels: { kind: partner } }
spec: { nets: [${address}/32] }
`;

const ALLOW_SET = `
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: { name: partners }
spec:
  order: 5
  selector: app == 'probe'
  ingress:
    - { action: Deny, source: { serviceAccounts: { names: [nobody] } } }
    - { action: Allow, protocol: TCP, source: { selector: kind == 'partner' }, destination: { notPorts: [22] } }
`;

const SMALL = `
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: { name: small }
spec: { cidr: 10.77.0.0/30, blockSize: 31, natOutgoing: true, ipipMode: Always, nodeSelector: '!all()' }
`;

const SMALL_PODS = [0, 1, 2, 3, 4]
  .map(
    (i) => `
apiVersion: v1
kind: Pod
metadata: { name: small-${i}, labels: { app: small }, annotations: { cni.projectcalico.org/ipv4pools: '["small"]' } }
spec: { nodeName: ${i === 0 ? 'worker-2' : 'worker-1'}, terminationGracePeriodSeconds: 0, containers: [{ name: c, image: agnhost, args: [netexec, --http-port=8080] }] }
---`,
  )
  .join('');

test('addresses of another pool are borrowed, run out, and are given back', async (context) => {
  if (cluster === undefined) {
    context.skip('no kubectl on this machine');
    return;
  }
  const c = cluster;
  await c.apply(SMALL);
  await c.apply(SMALL_PODS.split('---')[0]!);
  await c.kubectlOut(['wait', 'pod', 'small-0', '--for=condition=Ready', '--timeout=120s']);
  await c.apply(SMALL_PODS);
  const ready = async () =>
    (await c.kubectlOut(['get', 'pods', '-l', 'app=small', '-o', 'wide'])).match(/ 1\/1 .* 10\.77\.0\.\d /g) ?? [];
  await waitFor('all four addresses to be in use', async () => (await ready()).length === 4);
  await waitFor('the fifth pod to say why it waits', async () =>
    (await c.kubectlOut(['get', 'events', '--field-selector', 'reason=FailedCreatePodSandBox'])).includes(
      'No IPs available in pools: [',
    ),
  );
  const calicoctl = async (...words: string[]) =>
    (await c.podwire(['node', 'exec', 'worker-2', '--', 'calicoctl', ...words])).stdout;
  const borrowed = /\| (10\.77\.0\.\d) +\| worker-1 +\| 10\.77\.0\.\d\/31 +\| worker-2 /;
  const guest = await waitFor(
    'worker-2 to know of the borrowed address',
    async () => borrowed.exec(await calicoctl('ipam', 'show', '--show-borrowed'))?.[1],
  );
  const connect = ['exec', 'on-worker-2', '--', '/agnhost', 'connect', `${guest}:8080`, '--timeout=2s'];
  await waitFor('the borrowed address to be reached', async () => (await c.kubectl(connect)).code === 0);
  expect(await c.kubectlOut(['get', 'ipamblocks'])).toMatch(/10-77-0-0-31 +10\.77\.0\.0\/31 +host:worker-/);
  await c.kubectlOut(['delete', 'pod', 'small-0', '--force']);
  await waitFor('the fifth pod to get the address', async () => (await ready()).length === 4);
  await c.kubectlOut(['delete', 'pod', '-l', 'app=small', '--force']);
  await waitFor('all to be given back', async () => !(await c.kubectlOut(['get', 'ipamblocks'])).includes('10.77.'));
  await waitFor('nothing to leak', async () => (await calicoctl('ipam', 'check')).includes('found 0 problems'));
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
  await c.apply(NETWORK_SET(far));
  await c.apply(ALLOW_SET);
  await waitFor('the policy to mean the set', async () =>
    (await c.podwire(['explain', 'on-worker-2', `${await podIp('on-worker-1')}:8080`])).stdout.includes(
      'GlobalNetworkPolicy partners',
    ),
  );
  await c.kubectlOut(['delete', 'globalnetworkpolicy', 'guard', 'partners']);
  await waitFor('the pods to reach each other again', async () => (await c.kubectl(connect)).code === 0);

  expect(await onNode('calicoctl', 'node', 'status')).toMatch(
    /\| 192\.168\.1\.11 \| node-to-node mesh \| up +\| \S+ +\| Established \|/,
  );
  const blocks = await onNode('calicoctl', 'ipam', 'show', '--show-blocks');
  expect(blocks).toMatch(/\| IP Pool +\| 10\.244\.0\.0\/16 +\| +65536 \| +\d+ \(0%\)/);
  expect(blocks.match(/\| Block /g)?.length).toBeGreaterThanOrEqual(2);
  expect(await onNode('calicoctl', 'ipam', 'show', `--ip=${far}`)).toContain('pod: on-worker-2');

  const mode = async (ipipMode: string) =>
    await c.kubectlOut([
      'patch',
      'ippool',
      'default-ipv4-ippool',
      '--type=merge',
      `-p={"spec":{"ipipMode":"${ipipMode}"}}`,
    ]);
  await mode('Never');
  await waitFor('the routes to leave the tunnel', async () =>
    /\/26 via 192\.168\.1\.11 dev eth0 proto bird/.test(await onNode('ip', 'route')),
  );
  await waitFor('the pods to reach each other without it', async () => (await c.kubectl(connect)).code === 0);
  await mode('Always');

  await c.apply(WITHOUT_MESH);
  await waitFor('the routes to be withdrawn', async () => !(await onNode('ip', 'route')).includes('via 192.168.1.11'));
  await c.kubectlOut(['label', 'node', 'worker-2', 'reflector=yes']);
  await c.kubectlOut(['annotate', 'node', 'worker-2', 'projectcalico.org/RouteReflectorClusterID=244.0.0.1']);
  await c.apply(REFLECTORS);
  await waitFor('the reflector to bring them back', async () =>
    /Node_192_168_1_11 +BGP +master +up /.test(await onNode('birdc', 'show', 'protocols')),
  );
  await waitFor('the pods to reach each other through it', async () => (await c.kubectl(connect)).code === 0);
  expect(await onNode('calicoctl', 'get', 'bgppeers')).toMatch(/^reflectors +has\(reflector\) +all\(\) +0$/m);

  expect((await c.podwire(['node', 'kill', 'worker-2'])).code).toBe(0);
  await waitFor('the routes to go', async () => !(await onNode('ip', 'route')).includes('via 192.168.1.11'));
});
