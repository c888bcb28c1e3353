/** Services that are no plain ClusterIP: without selector, headless, aliases, load balancers, and those that keep to a zone. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';

const MANIFEST = `
apiVersion: v1
kind: Pod
metadata: { name: server, labels: { app: server } }
spec: { containers: [{ name: c, image: agnhost, args: [netexec, --http-port=8080] }] }
---
apiVersion: v1
kind: Pod
metadata: { name: early, labels: { app: early } }
spec:
  containers:
    - name: c
      image: agnhost
      args: [netexec, --http-port=8080]
      readinessProbe: { exec: { command: ["false"] } }
---
apiVersion: v1
kind: Service
metadata: { name: plain }
spec: { selector: { app: server }, ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: manual }
spec: { ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: headless }
spec: { clusterIP: None, selector: { app: server }, ports: [{ port: 8080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: alias }
spec: { type: ExternalName, externalName: plain.default.svc.cluster.local }
---
apiVersion: v1
kind: Service
metadata: { name: impatient }
spec: { publishNotReadyAddresses: true, selector: { app: early }, ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: classy }
spec:
  type: LoadBalancer
  loadBalancerClass: example.com/elsewhere
  selector: { app: server }
  ports: [{ port: 80, targetPort: 8080 }]
---
apiVersion: v1
kind: Service
metadata: { name: portless }
spec:
  type: LoadBalancer
  allocateLoadBalancerNodePorts: false
  selector: { app: server }
  ports: [{ port: 8099, targetPort: 8080 }]
---
apiVersion: v1
kind: Service
metadata: { name: zonal, annotations: { service.kubernetes.io/topology-mode: Auto } }
spec: { selector: { app: zonal }, ports: [{ port: 80, targetPort: 8080 }] }
${['worker-1', 'worker-2'].map(zonalPod).join('')}`;

function zonalPod(node: string): string {
  return `---
apiVersion: v1
kind: Pod
metadata: { name: at-${node}, labels: { app: zonal } }
spec: { nodeName: ${node}, containers: [{ name: c, image: agnhost, args: [netexec, --http-port=8080] }] }
`;
}

let cluster: TestCluster | undefined;
beforeAll(async () => {
  cluster = await TestCluster.start({ nodes: 2 });
  await cluster?.apply(MANIFEST);
  await cluster?.kubectlOut(['wait', '--for=condition=Ready', 'pod/server', '--timeout=120s']);
});
afterAll(async () => {
  await cluster?.down();
});

test('every kind of Service leads where it should', { timeout: 300_000 }, async (context) => {
  if (cluster === undefined) {
    context.skip('no kubectl on this machine');
    return;
  }
  const c = cluster;
  const field = (path: string, ...object: string[]): Promise<string> =>
    c.kubectlOut(['get', ...object, '-o', `jsonpath=${path}`]);
  const address = await field('{.status.podIP}', 'pod', 'server');
  await c.apply(`
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: manual-1, labels: { kubernetes.io/service-name: manual } }
addressType: IPv4
ports: [{ name: "", port: 8080 }]
endpoints: [{ addresses: ["${address}"] }]
`);
  const balancer = await waitFor('the load balancer to have an address', () =>
    field('{.status.loadBalancer.ingress[0].ip}', 'service', 'portless'),
  );
  const leads = (where: string, pod: string): Promise<boolean> =>
    waitFor(`${where} to lead to ${pod}`, async () => {
      const url = `http://${where}/hostname`;
      const { stdout } = await c.kubectl(['exec', 'server', '--', 'curl', '-s', '-m', '5', url]);
      return stdout === pod;
    });
  for (const where of ['plain', 'manual', 'headless:8080', 'alias', `${balancer}:8099`]) await leads(where, 'server');
  await leads('impatient', 'early');
  // The API, with what a pod is given for it.
  const asPod = `cd /var/run/secrets/kubernetes.io/serviceaccount
    curl -sS --cacert ca.crt -H "Authorization: Bearer $(cat token)" https://kubernetes.default.svc/api/v1/namespaces/default/pods/server`;
  const self = await waitFor('the API to answer in a pod', async () => {
    const { stdout } = await c.kubectl(['exec', 'server', '--', 'sh', '-c', asPod]);
    return stdout.startsWith('{') ? JSON.parse(stdout) : undefined;
  });
  expect(self).toMatchObject({ kind: 'Pod', metadata: { name: 'server' }, status: { podIP: address } });
  expect(await field('{.spec.ports[0].nodePort}', 'service', 'portless')).toBe('');
  expect(await field('{.spec.ports[0].nodePort}', 'service', 'classy')).toMatch(/^3\d{4}$/);
  // The cloud controller saw it before the other one, which has its address.
  expect(await field('{.status.loadBalancer}', 'service', 'classy')).toBe('{}');
});

test('a zone keeps to its own endpoints while each has its share', { timeout: 300_000 }, async (context) => {
  if (cluster === undefined) {
    context.skip('no kubectl on this machine');
    return;
  }
  const c = cluster;
  await c.kubectlOut(['wait', '--for=condition=Ready', 'pod', '-l', 'app=zonal', '--timeout=120s']);
  const said = (reason: string, message: string): Promise<boolean> =>
    waitFor(`the event ${reason}`, async () => {
      const selector = `involvedObject.name=zonal,reason=${reason}`;
      return (await c.kubectlOut(['get', 'events', '--field-selector', selector])).includes(message);
    });
  const answers = async (from: string): Promise<string> => {
    const ask = 'for i in $(seq 20); do curl -s -m 5 http://zonal/hostname; echo; done';
    const { stdout } = await c.kubectl(['exec', from, '--', 'sh', '-c', ask]);
    return [...new Set(stdout.split('\n').filter(Boolean))].sort().join(' ');
  };
  const answerers = (from: string, names: string): Promise<boolean> =>
    waitFor(`${from} to be answered by ${names}`, async () => (await answers(from)) === names);

  await said('TopologyAwareHintsDisabled', 'Insufficient Node information');
  await answerers('at-worker-1', 'at-worker-1 at-worker-2');
  for (const node of ['worker-1', 'worker-2']) {
    await c.kubectlOut(['label', 'node', node, '--overwrite', `topology.kubernetes.io/zone=zone-${node}`]);
  }
  await said('TopologyAwareHintsEnabled', 'Topology Aware Hints has been enabled, addressType: IPv4');
  for (const pod of ['at-worker-1', 'at-worker-2']) await answerers(pod, pod);
  await c.kubectlOut(['annotate', 'service', 'zonal', 'service.kubernetes.io/topology-mode-']);
  await said('TopologyAwareHintsDisabled', 'Topology Aware Hints has been disabled, addressType: IPv4');
  await answerers('at-worker-2', 'at-worker-1 at-worker-2');
});
