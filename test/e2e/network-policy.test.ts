/** NetworkPolicy on a real cluster: `podwire up --cni canal`, policies by kubectl, probes by `agnhost connect`. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../../shared/runtime/random.ts';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';
import { ExplainWorld } from './explain-world.testkit.ts';

/** Of random policies; `PODWIRE_EXPLAIN_SEEDS=50` runs as many, `PODWIRE_SEED=N` begins at that one. */
const SEEDS = Number(process.env.PODWIRE_EXPLAIN_SEEDS ?? 2);
const FIRST_SEED = Number(process.env.PODWIRE_SEED ?? 1);
const PROBES = 5;

const PODS = `
apiVersion: v1
kind: Namespace
metadata: { name: shop, labels: { tier: inner } }
---
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, labels: { app: web } }
spec:
  nodeName: worker-1
  containers: [{ name: c, image: agnhost, args: [netexec, --http-port=8080] }]
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: near, namespace: shop, labels: { app: near } }
spec: { nodeName: worker-1, containers: [{ name: c, image: agnhost }] }
---
apiVersion: v1
kind: Pod
metadata: { name: far, namespace: default, labels: { app: far } }
spec: { nodeName: worker-2, containers: [{ name: c, image: agnhost }] }
`;

const DENY = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: deny, namespace: shop }
spec: { podSelector: {}, policyTypes: [Ingress] }
`;

const ALLOW_FAR = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: allow-far, namespace: shop }
spec:
  podSelector: { matchLabels: { app: web } }
  ingress:
    - from: [{ namespaceSelector: {}, podSelector: { matchLabels: { app: far } } }]
      ports: [{ port: 8080 }]
`;

const ADMIN_DENY = `
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: inner-alone }
spec:
  tier: Admin
  priority: 10
  subject: { namespaces: { matchLabels: { tier: inner } } }
  ingress:
    - name: from-outside
      action: Deny
      from: [{ namespaces: { matchExpressions: [{ key: tier, operator: DoesNotExist }] } }]
`;

let cluster: TestCluster | undefined;
beforeAll(async () => {
  cluster = await TestCluster.start({ nodes: 2, arguments: ['--cni', 'canal'] });
  await cluster?.apply(PODS);
  await cluster?.kubectlOut(['wait', 'pod', '-A', '-l', 'app', '--for=condition=Ready', '--timeout=120s']);
});
afterAll(async () => {
  await cluster?.down();
});

/** What `agnhost connect` says: nothing when it got through. */
async function connect(c: TestCluster, namespace: string, pod: string): Promise<string> {
  const target = ['/agnhost', 'connect', 'web.shop:80', '--timeout=1s', '--protocol=tcp'];
  return (await c.kubectl(['exec', '-n', namespace, pod, '--', ...target])).stderr.split('\n')[0] ?? '';
}

describe('NetworkPolicy', () => {
  test('denies, allows, and is gone when it is deleted', async (context) => {
    if (cluster === undefined) {
      context.skip('no kubectl on this machine');
      return;
    }
    const c = cluster;
    const both = async () => [await connect(c, 'shop', 'near'), await connect(c, 'default', 'far')];
    // Ready pods may be there a moment before the rules that lead to them.
    await waitFor('both to be allowed', async () => (await both()).every((said) => said === ''));

    await c.apply(DENY);
    await waitFor('all to be denied', async () => (await both()).every((said) => said === 'TIMEOUT'));

    await c.apply(ALLOW_FAR);
    await waitFor('far to be allowed', async () => (await connect(c, 'default', 'far')) === '');
    expect(await connect(c, 'shop', 'near')).toBe('TIMEOUT');

    // A pod of the same name and labels, on another node and with another address, is who the policy means.
    await c.kubectlOut(['delete', 'pod', 'far', '--grace-period=1']);
    await c.apply(PODS.replace('nodeName: worker-2', 'nodeName: worker-1'));
    await c.kubectlOut(['wait', 'pod', 'far', '--for=condition=Ready', '--timeout=120s']);
    await waitFor('the new far to be allowed', async () => (await connect(c, 'default', 'far')) === '');

    await c.kubectlOut(['delete', 'networkpolicy', '-n', 'shop', '--all']);
    await waitFor('near to be allowed again', async () => (await connect(c, 'shop', 'near')) === '');
  });

  test('a cluster-wide policy denies, and podwire explain says so', async (context) => {
    if (cluster === undefined) {
      context.skip('no kubectl on this machine');
      return;
    }
    const c = cluster;
    const explain = (...words: string[]) => c.podwire(['explain', 'far', ...words]);
    expect(await explain('web.shop:80')).toMatchObject({ code: 0 });
    await c.apply(ADMIN_DENY);
    await waitFor('far to be denied', async () => (await connect(c, 'default', 'far')) === 'TIMEOUT');
    await waitFor('near to be allowed', async () => (await connect(c, 'shop', 'near')) === '');
    const denied = await explain('web.shop:80');
    expect(denied.code).toBe(1);
    expect(denied.stdout).toContain('ClusterNetworkPolicy inner-alone, ingress rule 1 (from-outside)');
    await c.kubectlOut(['delete', 'clusternetworkpolicy', '--all']);
  });

  test('podwire explain knows of a rule that somebody wrote on a node, and of a device that is down', async (context) => {
    if (cluster === undefined) {
      context.skip('no kubectl on this machine');
      return;
    }
    const c = cluster;
    const onNode = async (...words: string[]) => {
      expect((await c.podwire(['node', 'exec', 'worker-1', '--', ...words])).code).toBe(0);
    };
    const summary = async (target: string, ...options: string[]) => {
      const { stdout } = await c.podwire(['explain', 'far', target, ...options]);
      return stdout.split('\n')[0] ?? '';
    };
    await c.kubectlOut(['delete', 'networkpolicy', '-n', 'shop', '--all']);
    await waitFor('far to be allowed', async () => (await connect(c, 'default', 'far')) === '');
    expect(await summary('web.shop:80')).toBe('default/far -> web.shop:80 (tcp): yes');
    expect(await summary('kube-dns.kube-system:53', '--protocol', 'udp')).toMatch(/: yes$/);
    await onNode('iptables', '-I', 'FORWARD', '-p', 'tcp', '--dport', '8080', '-j', 'DROP');
    expect(await summary('pod/web.shop:8080')).toMatch(/was dropped on worker-1 at .*filter FORWARD rule 1$/);
    expect(await summary('pod/web.shop:8080', '--no-probe')).toMatch(/: yes$/);
    await onNode('iptables', '-D', 'FORWARD', '-p', 'tcp', '--dport', '8080', '-j', 'DROP');
    await onNode('ip', 'link', 'set', 'cni0', 'down');
    expect(await summary('pod/web.shop:8080')).toMatch(/: no: a test packet .*worker-1/);
    await onNode('ip', 'link', 'set', 'cni0', 'up');
    await waitFor('the way to be open again', async () => (await summary('pod/web.shop:8080')).endsWith(': yes'));
  });

  test('the kubelet still reaches a pod that refuses everybody', async (context) => {
    if (cluster === undefined) {
      context.skip('no kubectl on this machine');
      return;
    }
    await cluster.apply(DENY);
    await cluster.apply(`
apiVersion: v1
kind: Pod
metadata: { name: probed, namespace: shop, labels: { app: probed } }
spec:
  containers:
    - name: c
      image: agnhost
      args: [netexec, --http-port=8080]
      readinessProbe: { httpGet: { path: /healthz, port: 8080 }, periodSeconds: 1 }
`);
    await cluster.kubectlOut(['wait', 'pod', '-n', 'shop', 'probed', '--for=condition=Ready', '--timeout=120s']);
    const c = cluster;
    await waitFor('far to be denied', async () => (await connect(c, 'default', 'far')) === 'TIMEOUT');
  });

  test('podwire explain says of random policies what packets find', async (context) => {
    if (cluster === undefined) {
      context.skip('no kubectl on this machine');
      return;
    }
    const world = new ExplainWorld(cluster);
    await world.start();
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      await world.setPolicies(seed);
      const random = seededRandom(seed);
      for (let i = 0; i < PROBES; i++) {
        const probe = world.probe(random);
        const { passes, text } = await world.explained(probe);
        // Policies are in force a moment after the API took them.
        const what = `PODWIRE_SEED=${seed}: a packet to find what is explained:\n${text}`;
        await waitFor(what, async () => (await world.packetPasses(probe)) === passes);
      }
    }
    expect(SEEDS).toBeGreaterThan(0);
  });
});
