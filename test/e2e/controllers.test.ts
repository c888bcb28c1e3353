/** Controllers whose effect is seen only with the rest of the cluster: budgets and evictions, autoscalers, mirrored Endpoints. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';

let cluster: TestCluster | undefined;

beforeAll(async () => {
  cluster = await TestCluster.start({ nodes: 1 });
});
afterAll(() => cluster?.down());

function clusterTest(name: string, body: (cluster: TestCluster) => Promise<void>): void {
  test(name, async (context) => {
    if (cluster === undefined) return context.skip('no kubectl on this machine');
    await body(cluster);
  });
}

function deployment(name: string, replicas: number): string {
  return `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - { name: c, image: agnhost, args: [netexec], resources: { requests: { cpu: 100m } } }
`;
}

async function podNames(c: TestCluster, app: string): Promise<string[]> {
  const names = await c.kubectlOut(['get', 'pods', '-l', `app=${app}`, '-o', 'jsonpath={.items[*].metadata.name}']);
  return names.split(' ').filter((name) => name !== '');
}

/** Events of a reason, which are told behind what they are about. */
function told(c: TestCluster, reason: string): Promise<string> {
  return c.kubectlOut(['get', 'events', '--field-selector', `reason=${reason}`]);
}

clusterTest('a disruption budget refuses an eviction until there are pods enough', async (c) => {
  await c.apply(deployment('guarded', 2));
  await c.apply(`
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: guarded }
spec: { minAvailable: 2, selector: { matchLabels: { app: guarded } } }
`);
  const budget = ['poddisruptionbudget', 'guarded'];
  await c.waitForField(budget, '{.status.currentHealthy}', '2');
  await c.waitForField(budget, '{.status.disruptionsAllowed}', '0');
  const [victim = ''] = await podNames(c, 'guarded');
  const eviction = JSON.stringify({
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name: victim, namespace: 'default' },
  });
  const evict = () =>
    c.kubectl(['create', '--raw', `/api/v1/namespaces/default/pods/${victim}/eviction`, '-f', '-'], {
      input: eviction,
    });
  expect((await evict()).stderr).toContain("Cannot evict pod as it would violate the pod's disruption budget.");
  expect(await podNames(c, 'guarded')).toContain(victim);

  await c.kubectlOut(['scale', 'deployment/guarded', '--replicas=3']);
  await c.waitForField(budget, '{.status.disruptionsAllowed}', '1');
  expect(await evict()).toMatchObject({ code: 0 });
  await waitFor('the evicted pod to be gone', async () => !(await podNames(c, 'guarded')).includes(victim));
});

clusterTest('an autoscaler follows what the pods say they use', async (c) => {
  await c.apply(deployment('busy', 1));
  await c.kubectlOut(['rollout', 'status', 'deployment/busy', '--timeout=120s']);
  await c.kubectlOut(['autoscale', 'deployment/busy', '--cpu-percent=50', '--min=1', '--max=3']);
  await c.kubectlOut(['annotate', 'pods', '-l', 'app=busy', 'podwire.dev/cpu=150m']);
  await c.waitForField(['deployment', 'busy'], '{.status.readyReplicas}', '3');
  const reason = 'New size: 3; reason: cpu resource utilization (percentage of request) above target';
  await waitFor('the event', async () => (await told(c, 'SuccessfulRescale')).includes(reason));
});

clusterTest('Endpoints that are written by hand are reached through their Service', async (c) => {
  await c.apply(deployment('outside', 1));
  await c.kubectlOut(['rollout', 'status', 'deployment/outside', '--timeout=120s']);
  const [name = ''] = await podNames(c, 'outside');
  const address = await c.kubectlOut(['get', 'pod', name, '-o', 'jsonpath={.status.podIP}']);
  await c.apply(`
apiVersion: v1
kind: Service
metadata: { name: by-hand }
spec: { ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: v1
kind: Endpoints
metadata: { name: by-hand }
subsets: [{ addresses: [{ ip: ${address} }], ports: [{ port: 8080 }] }]
`);
  await waitFor('an answer', async () => {
    const { stdout } = await c.kubectl(['exec', name, '--', 'curl', '-s', '-m', '2', 'http://by-hand/hostname']);
    return stdout === name;
  });
  const slices = ['get', 'endpointslices', '-l', 'kubernetes.io/service-name=by-hand', '-o'];
  expect(await c.kubectlOut([...slices, 'jsonpath={.items[*].endpoints[*].addresses}'])).toBe(`["${address}"]`);
});

clusterTest('a pod of higher priority pushes another one out', async (c) => {
  const cores = Number(await c.kubectlOut(['get', 'nodes', '-o', 'jsonpath={.items[0].status.allocatable.cpu}']));
  const pod = (name: string, more: string) => `
apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec:
  terminationGracePeriodSeconds: 1
  ${more}
  containers:
  - { name: c, image: agnhost, resources: { requests: { cpu: ${Math.round(cores * 600)}m } } }
`;
  await c.apply(pod('plain', ''));
  await c.waitForField(['pod', 'plain'], '{.status.phase}', 'Running');
  await c.apply(`
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: { name: important }
value: 1000
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: { name: important-later }
value: 1000
preemptionPolicy: Never
---${pod('patient', 'priorityClassName: important-later')}---${pod('urgent', 'priorityClassName: important')}`);
  await c.waitForField(['pod', 'urgent'], '{.status.phase}', 'Running');
  expect((await c.kubectl(['get', 'pod', 'plain'])).stderr).toContain('NotFound');
  await c.waitForField(['pod', 'patient'], '{.status.phase}', 'Pending');
  await waitFor('the event of the one that went', async () =>
    /pod\/plain +Preempted by pod \S+ on node worker-1/.test(await told(c, 'Preempted')),
  );
  await waitFor('the event of the one that waits', async () =>
    (await told(c, 'FailedScheduling')).includes('preemption: not eligible due to preemptionPolicy=Never.'),
  );
  await c.kubectlOut(['delete', 'pod', 'patient', 'urgent']);
});

clusterTest('kubectl top shows what nodes and pods use', async (c) => {
  await c.apply(deployment('measured', 1));
  await c.kubectlOut(['rollout', 'status', 'deployment/measured', '--timeout=120s']);
  await c.kubectlOut(['annotate', 'pods', '-l', 'app=measured', 'podwire.dev/cpu=250m', 'podwire.dev/memory=64Mi']);
  await waitFor('the metrics of the pod', async () =>
    /measured-\S+ +250m +64Mi/.test((await c.kubectl(['top', 'pods', '-l', 'app=measured'])).stdout),
  );
  const dns = await c.kubectlOut(['top', 'pods', '-n', 'kube-system', '-l', 'k8s-app=kube-dns', '--containers']);
  expect(dns).toMatch(/^coredns-\S+ +coredns +\d+m +[1-9]\d+Mi/m);
  expect(await c.kubectlOut(['top', 'nodes'])).toMatch(/^worker-1 +\d+m +\d+% +[1-9]\d+Mi +\d+%/m);
  const missing = await c.kubectl(['get', '--raw', '/apis/metrics.k8s.io/v1beta1/namespaces/default/pods/nobody']);
  expect(missing.stderr).toContain('not found');
});
