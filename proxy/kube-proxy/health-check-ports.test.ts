import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listenHttp, requestOver } from '../../shared/podnet/http.ts';
import { type PodPair, podPair, RIGHT_ADDRESS } from '../../shared/podnet/pod-pair.testkit.ts';
import { serviceState } from '../../test/flow/service-world.testkit.ts';
import { waitFor } from '../../test/wait-for.ts';
import { HealthCheckPorts } from './health-check-ports.ts';
import { NodeHttp } from './node-http.ts';

const PORT = 32_100;
let pods: PodPair;
let healthy: boolean;
let refused: string[];
let ports: HealthCheckPorts;

beforeEach(() => {
  pods = podPair();
  healthy = true;
  refused = [];
  const http = new NodeHttp(async () => pods.right);
  ports = new HealthCheckPorts({
    nodeName: 'worker-1',
    listen: (port, reply) => http.listen({ port }, reply),
    isHealthy: () => healthy,
    failed: (service, port) => refused.push(`${service} ${port}`),
  });
});
afterEach(() => pods.close());

const state = (backends: readonly string[], port = PORT) =>
  serviceState({
    spec: {
      type: 'LoadBalancer',
      clusterIP: '10.96.12.3',
      externalTrafficPolicy: 'Local',
      healthCheckNodePort: port,
      ports: [
        { name: 'http', port: 80 },
        { name: 'https', port: 443 },
      ],
    },
    backends: backends.map((address) => ({ address })),
  });

/** Status, endpoint weight and body of a GET over the emulated network. */
async function get(): Promise<readonly [number | undefined, unknown, string]> {
  const connection = await pods.left.connectTcp({ host: RIGHT_ADDRESS, port: PORT });
  const request = requestOver(connection, { path: '/', headers: { connection: 'close' } });
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let body = '';
  for await (const chunk of response) body += String(chunk);
  return [response.statusCode, response.headers['x-load-balancing-endpoint-weight'], body];
}

/** Refused until it listens. */
const isServed = () =>
  get().then(
    ([code]) => code === 200,
    () => false,
  );

const body = (localEndpoints: number, serviceProxyHealthy = true): string => `{
	"service": {
		"namespace": "default",
		"name": "web"
	},
	"localEndpoints": ${localEndpoints},
	"serviceProxyHealthy": ${serviceProxyHealthy}
}`;

test('says how many endpoints of the Service the node has, and 503 when none or when the proxy is behind', async () => {
  ports.update(state(['10.244.1.6', '10.244.1.7', '10.244.2.7']));
  await waitFor('the port', isServed);
  expect(await get()).toEqual([200, '2', body(2)]);
  ports.update(state(['10.244.2.7']));
  expect(await get()).toEqual([503, '0', body(0)]);
  ports.update(state(['10.244.1.6']));
  healthy = false;
  expect(await get()).toEqual([503, '1', body(1, false)]);
});

test('a port is served while its Service has it', async () => {
  ports.update(state(['10.244.1.6'], PORT - 1));
  ports.update(state(['10.244.1.6']));
  await waitFor('the port', isServed);
  ports.update({ key: 'default/web', ports: [] });
  await ports.close();
  await expect(get()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('a port that is taken is told', async () => {
  await listenHttp(pods.right, { port: PORT }, () => undefined);
  ports.update(state(['10.244.1.6']));
  await ports.close();
  expect(refused).toEqual([`default/web ${PORT}`]);
});
