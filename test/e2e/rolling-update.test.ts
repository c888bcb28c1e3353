/**
 * A rolling update behind a Service while a client sends throughout: none of its requests is lost. The pods leave as the
 * Kubernetes documentation advises ("Pod Lifecycle", termination): they serve on for a moment after their endpoints are gone.
 * PODWIRE_ROLLING_REPLICAS=100 for long.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';

const REPLICAS = Number(process.env.PODWIRE_ROLLING_REPLICAS ?? 12);
const START_LIMIT_MS = 180_000;
const ROLLOUT_LIMIT = '300s';

let cluster: TestCluster | undefined;

beforeAll(async () => {
  cluster = await TestCluster.start();
}, START_LIMIT_MS);
afterAll(() => cluster?.down(), START_LIMIT_MS);

const WEB = `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: ${REPLICAS}
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
      - name: web
        image: registry.k8s.io/e2e-test-images/agnhost:2.53
        args: [netexec]
        env: [{ name: GENERATION, value: one }]
        readinessProbe: { httpGet: { path: /healthz, port: 8080 }, periodSeconds: 1 }
        lifecycle: { preStop: { sleep: { seconds: 10 } } }
`;

/** A line a request: who answered and when what was done; at its end `failed` if it was. */
const CLIENT = `
apiVersion: v1
kind: Pod
metadata: { name: client }
spec:
  restartPolicy: Never
  # A machine that stands still for seconds loses no request, and is no reason for a resolver to give up.
  dnsConfig: { options: [{ name: timeout, value: "30" }] }
  containers:
  - name: client
    image: busybox
    command: [sh, -c]
    args:
    - |
      send() {
        while [ ! -e /tmp/enough ]; do
          said=$(curl -s -m 90 -w ' name %{time_namelookup} connect %{time_connect} all %{time_total}' http://web/hostname) ||
            said="$said failed with $?"
          echo "$said"
        done
      }
      for sender in 1 2 3 4 5 6; do send & done
      wait
`;

/** What the client's requests came to, in order. */
async function outcomes(running: TestCluster): Promise<string[]> {
  const log = await running.kubectlOut(['logs', 'client']);
  return log.split('\n').filter((line) => line !== '');
}

test(`a rolling update of ${REPLICAS} pods loses no request`, { timeout: 600_000 }, async (context) => {
  if (cluster === undefined) return context.skip('there is no kubectl');
  const running = cluster;
  await running.apply(WEB);
  await running.kubectlOut(['rollout', 'status', 'deployment/web', `--timeout=${ROLLOUT_LIMIT}`], {
    timeoutMs: 310_000,
  });
  await running.apply(CLIENT);
  await running.waitForField(['pod', 'client'], '{.status.phase}', 'Running');
  await waitFor('the first answers', async () => (await outcomes(running)).length > 20);
  const before = (await running.kubectlOut(['get', 'pods', '-l', 'app=web', '-o', 'name'])).trim().split('\n');

  await running.kubectlOut(['set', 'env', 'deployment/web', 'GENERATION=two']);
  await running.kubectlOut(['rollout', 'status', 'deployment/web', `--timeout=${ROLLOUT_LIMIT}`], {
    timeoutMs: 310_000,
  });
  await waitFor(
    'the old pods to be gone',
    async () => {
      const left = (await running.kubectlOut(['get', 'pods', '-l', 'app=web', '-o', 'name'])).trim().split('\n');
      return left.length === REPLICAS && !left.some((name) => before.includes(name));
    },
    120_000,
  );
  await running.kubectlOut(['exec', 'client', '--', 'touch', '/tmp/enough']);
  await running.waitForField(['pod', 'client'], '{.status.phase}', 'Succeeded');

  const all = await outcomes(running);
  expect(all.filter((line) => line.includes('failed'))).toEqual([]);
  const answering = all.map((line) => line.split(' ')[0] as string);
  const old = new Set(before.map((name) => name.replace('pod/', '')));
  expect(answering.some((name) => old.has(name))).toBe(true);
  expect(old.has(answering.at(-1) as string)).toBe(false);
  console.log(`${all.length} requests, ${new Set(answering).size} pods answered`);
});
