/** cilium on a real cluster: its policies by kubectl, what connections carry too, identities that all nodes agree on, and hubble's flows. */
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';
import { documentedCommands, scriptOf } from './documented-commands.ts';

const ROOT = resolve(import.meta.dirname, '../..');

const PODS = ['worker-1', 'worker-2']
  .map(
    (node) => `
apiVersion: v1
kind: Pod
metadata: { name: on-${node}, labels: { app: on-${node} } }
spec: { nodeName: ${node}, containers: [{ name: c, image: agnhost, args: [netexec, --http-port=8080] }] }
---`,
  )
  .join('');

const policy = (ingress: string) => `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: guard }
spec:
  endpointSelector: { matchLabels: { app: on-worker-2 } }
  ingress: [${ingress}]
`;
const FRIENDS = '{ fromEndpoints: [{ matchLabels: { app: on-worker-1 } }] }';
const ECHO = (type: string) => `{ icmps: [{ fields: [{ type: ${type} }] }] }`;
const HTTP_RULE =
  '{ toPorts: [{ ports: [{ port: "8080", protocol: TCP }], rules: { http: [{ method: GET, path: "/clientip|/echo.*" }] } }] }';
const KAFKA_RULE = '{ toPorts: [{ ports: [{ port: "8080" }], rules: { kafka: [{ topic: a }] } }] }';

const CLIENT = `
apiVersion: v1
kind: Pod
metadata: { name: client, labels: { app: client } }
spec: { nodeName: worker-1, containers: [{ name: c, image: netshoot, command: [sleep, infinity] }] }
---`;

/** Names of what is outside of the cluster: that of the API servers. */
const NAMES = (address: string) => `
apiVersion: v1
kind: Service
metadata: { name: api }
spec: { clusterIP: None, ports: [{ port: 443 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: api-1, labels: { kubernetes.io/service-name: api } }
addressType: IPv4
endpoints: [{ addresses: ["${address}"] }]
ports: [{ port: 443 }]
---`;
const API_NAME = 'api.default.svc.cluster.local';
const NAMED = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: named }
spec:
  endpointSelector: { matchLabels: { app: client } }
  egress:
  - toEndpoints: [{ matchLabels: { k8s-app: kube-dns, io.kubernetes.pod.namespace: kube-system } }]
    toPorts: [{ ports: [{ port: "53", protocol: ANY }], rules: { dns: [{ matchPattern: "*.default.svc.cluster.local" }] } }]
  - toFQDNs: [{ matchName: ${API_NAME} }]
`;

let cluster: TestCluster | undefined;
beforeAll(async () => {
  cluster = await TestCluster.start({ nodes: 2, arguments: ['--cni', 'cilium', '--set', 'routingMode=native'] });
  await cluster?.apply(CLIENT + PODS);
  await cluster?.kubectlOut(['wait', 'pod', '--all', '--for=condition=Ready', '--timeout=120s']);
});
afterAll(async () => {
  await cluster?.down();
});

test('policies, identities and flows', async (context) => {
  if (cluster === undefined) {
    context.skip('no kubectl on this machine');
    return;
  }
  const c = cluster;
  const onNode = async (node: string, ...command: string[]) =>
    (await c.podwire(['node', 'exec', node, '--', ...command])).stdout;
  const far = await c.kubectlOut(['get', 'pod', 'on-worker-2', '-o', 'jsonpath={.status.podIP}']);
  const connect = ['exec', 'on-worker-1', '--', '/agnhost', 'connect', `${far}:8080`, '--timeout=1s'];
  const passes = async () => (await c.kubectl(connect)).code === 0;
  await waitFor('the pods to reach each other', passes);

  await c.apply(policy('{}'));
  await waitFor('the policy to be in force', async () => !(await passes()));
  await c.apply(policy(FRIENDS));
  await waitFor('the friend to pass again', passes);
  const refused = await c.kubectl(['apply', '-f', '-'], { input: policy(KAFKA_RULE) });
  expect(refused.stderr).toContain('kafka: this emulation does not enforce it yet, so it is refused');

  const unknown = await c.kubectl(['apply', '-f', '-'], { input: policy(ECHO('Pong')) });
  expect(unknown.stderr).toContain('type: a number of an ICMP type, or its name, as EchoRequest');
  await c.apply(policy(ECHO('EchoRequest')));
  await waitFor('TCP to be refused', async () => !(await passes()));
  const explained = await c.podwire(['explain', 'on-worker-1', far, '--protocol', 'icmp']);
  expect(explained.stdout).toContain('CiliumNetworkPolicy default/guard');
  expect(explained.code).toBe(0);

  await waitFor('an identity for both', async () =>
    /"on-worker-1".*"on-worker-2"|"on-worker-2".*"on-worker-1"/s.test(
      await c.kubectlOut(['get', 'ciliumidentities', '-o', 'jsonpath={.items[*].security-labels}']),
    ),
  );
  const identityOf = async (node: string) =>
    /(\d+) +k8s:app=on-worker-2/.exec(await onNode(node, 'cilium-dbg', 'identity', 'list'))?.[1];
  await waitFor('the nodes to agree', async () => {
    const [one, other] = [await identityOf('worker-1'), await identityOf('worker-2')];
    return one !== undefined && one === other;
  });
  expect(await onNode('worker-2', 'cilium-dbg', 'endpoint', 'list')).toMatch(
    /Enabled +Disabled +\d+ +k8s:app=on-worker-2/,
  );
  const dropped = await onNode('worker-2', 'hubble', 'observe', '--verdict', 'DROPPED');
  const observed = await c.podwire(['observe', '--verdict', 'DROPPED', '--to-pod', 'on-worker-2', '--last', '1']);
  expect(observed.stdout.match(/<> default\/on-worker-2:8080 .* DROPPED/g)).toHaveLength(1);
  expect(await c.podwire(['observe', '--tree'])).toMatchObject({ code: 1, stderr: expect.stringContaining('--tree') });
  await onNode('worker-2', 'sh', '-c', 'hubble observe --follow --verdict DROPPED > /tmp/flows &');
  await waitFor('a flow that is followed', async () => {
    await passes();
    return (await onNode('worker-2', 'cat', '/tmp/flows')).includes('Policy denied DROPPED');
  });
  expect(dropped).toMatch(
    /default\/on-worker-1:\d+ \(\S+\) <> default\/on-worker-2:8080 \(\S+\) Policy denied DROPPED/,
  );
});

test('requests and names', async (context) => {
  if (cluster === undefined) {
    context.skip('no kubectl on this machine');
    return;
  }
  const c = cluster;
  const [far, mine] = await Promise.all(
    ['on-worker-2', 'client'].map((pod) => c.kubectlOut(['get', 'pod', pod, '-o', 'jsonpath={.status.podIP}'])),
  );
  const curl = async (...words: string[]) =>
    (await c.kubectl(['exec', 'client', '--', 'curl', '-s', '-m', '20', ...words])).stdout;
  await c.apply(policy(HTTP_RULE));
  await waitFor('requests to be asked about', async () => (await curl(`${far}:8080/hostname`)) === 'Access denied\r\n');
  expect(await curl(`${far}:8080/echo?msg=hello`)).toBe('hello');
  expect(await curl(`${far}:8080/clientip`)).toMatch(new RegExp(`^${mine}:\\d+$`));
  expect(await curl('-o', '/dev/null', '-w', '%{http_code}', '-d', 'x', `${far}:8080/echo`)).toBe('403');
  const flows = await c.podwire(['observe', '--protocol', 'http', '--to-pod', 'on-worker-2', '--last', '50']);
  expect(flows.stdout).toMatch(/default\/on-worker-2:8080 \S+ http-request DROPPED \(HTTP\/1\.1 POST http:\S+\/echo\)/);
  const explained = await c.podwire(['explain', 'client', `${far}:8080`]);
  expect(explained.stdout).toContain('for HTTP requests that fit GET /clientip|/echo.*; others get 403 Access denied');

  const [api = '', port = ''] = (
    await c.kubectlOut([
      'get',
      'endpoints',
      'kubernetes',
      '-o',
      'jsonpath={.subsets[0].addresses[0].ip} {.subsets[0].ports[0].port}',
    ])
  ).split(' ');
  await c.apply(NAMES(api) + NAMED);
  const lookUp = async (name: string) => (await c.kubectl(['exec', 'client', '--', 'dig', '+tries=1', name])).stdout;
  await waitFor('names to be asked about', async () => (await lookUp('example.com')).includes('status: REFUSED'));
  const connects = async (host: string) =>
    (await c.kubectl(['exec', 'client', '--', 'nc', '-z', '-w', '1', host, port])).code === 0;
  expect(await connects(api)).toBe(false);
  await waitFor('the name to be there', async () => (await lookUp(API_NAME)).includes(api));
  await waitFor('its address to be open', () => connects(API_NAME));
  const onNode = async (...command: string[]) =>
    (await c.podwire(['node', 'exec', 'worker-1', '--', ...command])).stdout;
  const opened = await c.podwire(['explain', 'client', `${api}:${port}`]);
  expect(opened.stdout).toContain('allowed by CiliumNetworkPolicy default/named, egress rule 2');
  expect(await onNode('cilium-dbg', 'fqdn', 'cache', 'list')).toMatch(
    new RegExp(`lookup +${API_NAME}\\. +\\d+ +\\S+ +${api}`),
  );
  await waitFor('both policies to be valid', async () =>
    /^guard +\S+ +True\nnamed +\S+ +True$/m.test(await c.kubectlOut(['get', 'cnp', '--no-headers'])),
  );
  await waitFor('the endpoint of the pod', async () =>
    new RegExp(`^client +\\d+ +ready +${mine} +\\S+$`, 'm').test(await c.kubectlOut(['get', 'cep'])),
  );
  expect(await onNode('hubble', 'observe', '--protocol', 'dns', '--verdict', 'DROPPED')).toContain(
    'DNS Query example.com. A',
  );
});

test('labs/cilium-l7 shows what it says', async (context) => {
  if (cluster === undefined) {
    context.skip('no kubectl on this machine');
    return;
  }
  const commands = documentedCommands(join(ROOT, 'labs/cilium-l7/README.md')).filter(
    (line) => !line.includes('podwire.mjs up ') && !line.startsWith('alias '),
  );
  const podwire = 'podwire() { cli/bin/podwire.mjs "$@"; }';
  const { code, stdout, stderr } = await cluster.shell([podwire, scriptOf(commands)].join('\n'));
  const all = `${stdout}\n${stderr}`;
  expect(code, all).toBe(0);
  expect(stdout, all).toMatch(/^Access denied/m);
  expect(stdout, all).toMatch(/http-request DROPPED \(HTTP\/1\.1 GET http:\/\/api:8080\/hostname\)/);
  expect(stdout, all).toMatch(/^closed$/m);
  expect(stdout, all).toMatch(/lookup +office\.orders\.svc\.cluster\.local\. +\d+ +\S+ +192\.168\.1\.2/);
  expect(stdout, all).toContain('allowed by CiliumNetworkPolicy orders/client, egress rule 3');
});
