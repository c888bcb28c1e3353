/** Programs of this machine reach Services: NodePorts and LoadBalancer addresses as real sockets. */
import { createSocket } from 'node:dgram';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';
import { run } from './run-command.ts';

const MANIFEST = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: c, image: agnhost, args: [netexec, --http-port=8080, --udp-port=8081] }] }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec:
  type: NodePort
  selector: { app: web }
  ports:
    - { name: http, port: 80, targetPort: 8080, nodePort: 30080 }
    - { name: udp, port: 81, targetPort: 8081, nodePort: 30081, protocol: UDP }
`;

/** A datagram or a connection that came too early is lost. */
const ASKED_AGAIN_AFTER_MS = 2000;

interface Entrance {
  readonly service: string;
  readonly protocol: string;
  readonly address: string;
  readonly realAddress: string;
  readonly realPort: number;
}

let cluster: TestCluster | undefined;
beforeAll(async () => {
  cluster = await TestCluster.start({ nodes: 2 });
  await cluster?.apply(MANIFEST);
  await cluster?.kubectlOut(['rollout', 'status', 'deployment/web', '--timeout=120s']);
});
afterAll(async () => {
  await cluster?.down();
});

async function entrances(c: TestCluster): Promise<Entrance[]> {
  const { stdout } = await c.podwire(['status', '-o', 'json']);
  return (JSON.parse(stdout) as { entrances: Entrance[] }).entrances; // podwire's own output
}

/** The socket may be there a moment before kube-proxy has the rules: then nobody answers yet. */
function hostname({ realAddress, realPort }: Entrance): Promise<string> {
  const url = `http://${realAddress}:${realPort}/hostname`;
  return waitFor(`an answer of ${url}`, async () => {
    try {
      return await (await fetch(url, { signal: AbortSignal.timeout(ASKED_AGAIN_AFTER_MS) })).text();
    } catch (error) {
      console.log(`${url} is asked again: ${error}`);
      return undefined;
    }
  });
}

async function askUdp({ realAddress, realPort }: Entrance): Promise<string> {
  const socket = createSocket('udp4');
  try {
    let answer = '';
    socket.on('message', (data) => {
      answer = String(data).trim();
    });
    let sentMs = Number.NEGATIVE_INFINITY;
    return await waitFor(`an answer of ${realAddress}:${realPort}`, () => {
      if (performance.now() - sentMs > ASKED_AGAIN_AFTER_MS) {
        socket.send('hostname', realPort, realAddress);
        sentMs = performance.now();
      }
      return answer;
    });
  } finally {
    socket.close();
  }
}

test('NodePorts and LoadBalancer addresses are real sockets while their Service is there', async (context) => {
  if (cluster === undefined) {
    context.skip('no kubectl on this machine');
    return;
  }
  const c = cluster;
  const all = await waitFor('four entrances', async () => {
    const found = await entrances(c);
    return found.length === 4 ? found : undefined;
  });
  const pods = (await c.kubectlOut(['get', 'pods', '-l', 'app=web', '-o', 'name'])).trim().split('\n');
  for (const entrance of all) {
    const name = entrance.protocol === 'tcp' ? await hostname(entrance) : await askUdp(entrance);
    expect(pods).toContain(`pod/${name}`);
  }

  const body = 'x'.repeat(3_000_000);
  const [tcp] = all.filter(({ protocol }) => protocol === 'tcp');
  const echo = await fetch(`http://${tcp?.realAddress}:${tcp?.realPort}/echo?msg=big`, { method: 'POST', body });
  expect(await echo.text()).toBe('big');

  await c.kubectlOut(['patch', 'service', 'web', '-p', '{"spec":{"type":"LoadBalancer"}}']);
  const balanced = await waitFor('the LoadBalancer address', async () =>
    (await entrances(c)).find(({ address, protocol }) => address === '192.168.1.240' && protocol === 'tcp'),
  );
  expect(pods).toContain(`pod/${await hostname(balanced)}`);

  await c.kubectlOut(['delete', 'service', 'web']);
  await waitFor('the sockets to be closed', async () => (await entrances(c)).length === 0);
  const refused = await run('curl', ['-sS', '-m', '2', `http://${tcp?.realAddress}:${tcp?.realPort}/`]);
  expect(refused.code).toBe(7);
});

test('a health check node port says on each node whether an endpoint is there', async (context) => {
  if (cluster === undefined) {
    context.skip('no kubectl on this machine');
    return;
  }
  const c = cluster;
  await c.apply(`
apiVersion: v1
kind: Pod
metadata: { name: lonely, labels: { app: lonely } }
spec:
  nodeName: worker-1
  containers: [{ name: c, image: agnhost, args: [netexec, --http-port=8080] }]
---
apiVersion: v1
kind: Service
metadata: { name: lonely }
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  healthCheckNodePort: 32100
  selector: { app: lonely }
  ports: [{ port: 8088, targetPort: 8080 }]
`);
  await c.kubectlOut(['wait', '--for=condition=Ready', 'pod/lonely', '--timeout=120s']);
  const answers = async (node: string): Promise<string> => {
    const url = `http://${node}:32100/`;
    const format = ' %{http_code}';
    return (await c.kubectl(['exec', 'lonely', '--', 'curl', '-s', '-m', '5', '-w', format, url])).stdout;
  };
  await waitFor('the node of the pod to be healthy', async () =>
    /"localEndpoints": 1[\s\S]* 200$/.test(await answers('192.168.1.10')),
  );
  await waitFor('the other node not to be', async () =>
    /"localEndpoints": 0[\s\S]* 503$/.test(await answers('192.168.1.11')),
  );
  await c.kubectlOut(['delete', 'service', 'lonely']);
});
