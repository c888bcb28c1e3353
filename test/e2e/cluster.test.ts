/** The whole cluster with real processes, a real nats-server and a real kubectl. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';
import { run } from './run-command.ts';

const WEB = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 3
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: registry.k8s.io/e2e-test-images/agnhost:2.53
          args: ["netexec", "--http-port=8080"]
          ports: [{ containerPort: 8080 }]
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec:
  selector: { app: web }
  ports: [{ port: 80, targetPort: 8080 }]
`;

const CLIENT = `
apiVersion: v1
kind: Pod
metadata: { name: client }
spec:
  terminationGracePeriodSeconds: 1
  containers: [{ name: client, image: "busybox:1.36", command: ["sleep", "1000000"] }]
`;

let cluster: TestCluster | undefined;

beforeAll(async () => {
  cluster = await TestCluster.start({ nodesDie: true });
});
afterAll(async () => {
  await cluster?.down();
});

/** A test that needs the cluster; where it could not be had the reason was printed. */
function clusterTest(name: string, body: (cluster: TestCluster) => Promise<void>, limitMs?: number): void {
  test(
    name,
    async (context) => {
      if (cluster === undefined) {
        context.skip('no kubectl on this machine');
        return;
      }
      await body(cluster);
    },
    limitMs,
  );
}

async function get(c: TestCluster, args: readonly string[], jsonpath: string): Promise<string> {
  return c.kubectlOut(['get', ...args, '-o', `jsonpath=${jsonpath}`]);
}

async function curlWeb(c: TestCluster): Promise<string> {
  const result = await c.kubectl(['exec', 'client', '--', 'wget', '-q', '-T', '2', '-O', '-', 'http://web/hostname']);
  return result.code === 0 ? result.stdout.trim() : '';
}

describe('a cluster', () => {
  clusterTest('has three ready nodes and a DNS that answers', async (c) => {
    await c.kubectlOut(['wait', '--for=condition=Ready', 'nodes', '--all', '--timeout=120s']);
    const addresses = await get(c, ['nodes'], '{.items[*].status.addresses[?(@.type=="InternalIP")].address}');
    expect(addresses.split(' ')).toEqual(['192.168.1.10', '192.168.1.11', '192.168.1.12']);
    await c.kubectlOut(['-n', 'kube-system', 'rollout', 'status', 'deployment/coredns', '--timeout=120s']);
  });

  clusterTest('spreads a deployment over the nodes', async (c) => {
    await c.apply(WEB);
    await c.apply(CLIENT);
    await c.kubectlOut(['rollout', 'status', 'deployment/web', '--timeout=120s']);
    await c.kubectlOut(['wait', '--for=condition=Ready', 'pod/client', '--timeout=120s']);
    const nodes = await get(c, ['pods', '-l', 'app=web'], '{.items[*].spec.nodeName}');
    expect(new Set(nodes.split(' ')).size).toBe(3);
  });

  clusterTest('a Service name leads to every backend, through DNS and packets', async (c) => {
    const names = (await get(c, ['pods', '-l', 'app=web'], '{.items[*].metadata.name}')).split(' ').sort();
    const seen = new Set<string>();
    await waitFor('all three backends to answer', async () => {
      const answer = await curlWeb(c);
      if (answer !== '') seen.add(answer);
      return seen.size === 3;
    });
    expect([...seen].sort()).toEqual(names);
  });

  clusterTest('shows logs, also of what follows', async (c) => {
    const command = ['sh', '-c', 'for i in 1 2 3; do echo line $i; done; echo oops >&2'];
    await c.kubectlOut(['run', 'talker', '--image=busybox', '--restart=Never', '--', ...command]);
    await c.waitForField(['pod', 'talker'], '{.status.phase}', 'Succeeded');
    const logs = await c.kubectlOut(['logs', 'talker', '-f']);
    expect(logs.split('\n').filter(Boolean).sort()).toEqual(['line 1', 'line 2', 'line 3', 'oops']);
    expect(await c.kubectlOut(['logs', 'talker', '--tail=1', '--timestamps'])).toMatch(/^\d{4}-\d\d-\d\dT\S+Z \S+/);
    await c.kubectlOut(['delete', 'pod', 'talker']);
  });

  clusterTest('exec passes input, output and the exit code', async (c) => {
    const piped = await c.kubectl(['exec', '-i', 'client', '--', 'sh', '-c', 'tr a-z A-Z; exit 3'], {
      input: 'hello\n',
    });
    expect([piped.code, piped.stdout]).toEqual([3, 'HELLO\n']);
    const missing = await c.kubectl(['exec', 'client', '--', 'no-such-program']);
    expect(missing.code).not.toBe(0);
    expect(missing.stderr).toContain('executable file not found');
  });

  clusterTest('exec -it has a terminal', async (c) => {
    const script = await run('which', ['script']);
    if (script.code !== 0) {
      console.log('skipped: no `script` to give kubectl a terminal');
      return;
    }
    const kubectl = `kubectl exec -it client -- sh`;
    const session = await run(
      'sh',
      ['-c', `printf 'echo $((6*7)); tty\\nexit\\n' | script -qec '${kubectl}' /dev/null`],
      {
        env: { KUBECONFIG: `${c.home}/e2e/kubeconfig` },
      },
    );
    expect(session.stdout).toContain('42');
  });

  clusterTest('an unknown image is told with what there is', async (c) => {
    await c.kubectlOut(['run', 'stranger', '--image=example.com/stranger:1', '--restart=Never']);
    const reason = '{.status.containerStatuses[0].state.waiting.reason}';
    await c.waitForField(['pod', 'stranger'], reason, 'ImagePullBackOff');
    await waitFor('the event that tells the images', async () =>
      /there is no emulated image .* busybox/s.test(await c.kubectlOut(['describe', 'pod', 'stranger'])),
    );
    await c.kubectlOut(['delete', 'pod', 'stranger']);
  });

  clusterTest('a deleted pod is replaced, and leaves the Service at once', async (c) => {
    const [first = ''] = (await get(c, ['pods', '-l', 'app=web'], '{.items[*].metadata.name}')).split(' ');
    await c.kubectlOut(['delete', 'pod', first]);
    await c.waitForField(['deployment', 'web'], '{.status.readyReplicas}', '3');
    expect((await c.kubectl(['get', 'pod', first])).stderr).toContain('NotFound');
    await waitFor('the Service to answer', async () => (await curlWeb(c)) !== '');
  });
});

describe('failures', () => {
  clusterTest(
    'a node that is killed turns NotReady, its pods move, and it comes back',
    async (c) => {
      const clientNode = await get(c, ['pod', 'client'], '{.spec.nodeName}');
      const nodes = (await get(c, ['pods', '-l', 'app=web'], '{.items[*].spec.nodeName}')).split(' ');
      const victim = nodes.find((node) => node !== clientNode) ?? '';
      const ready = '{.status.conditions[?(@.type=="Ready")].status}';
      expect((await c.podwire(['node', 'kill', victim])).code).toBe(0);
      await c.waitForField(['node', victim], ready, 'Unknown');
      const elsewhere = async (): Promise<boolean> => {
        const state = await get(
          c,
          ['pods', '-l', 'app=web'],
          '{range .items[*]}{.spec.nodeName} {.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}',
        );
        return state.split('\n').filter((line) => line.endsWith('True') && !line.startsWith(victim)).length === 3;
      };
      await waitFor('three ready pods on the other nodes', elsewhere);
      await waitFor('the Service to answer', async () => (await curlWeb(c)) !== '');
      expect((await c.podwire(['node', 'start', victim])).code).toBe(0);
      await c.waitForField(['node', victim], ready, 'True');
      await c.waitForField(['deployment', 'web'], '{.status.readyReplicas}', '3');
    },
    300_000,
  );

  for (const component of ['nats-server', 'apiserver', 'scheduler', 'controller-manager']) {
    clusterTest(`${component} killed: packets still flow, and the cluster heals`, async (c) => {
      const before = await processId(c, component);
      process.kill(before, 'SIGKILL');
      await waitFor(`${component} to be restarted`, async () => {
        const now = await processId(c, component).catch(() => before);
        return now !== before;
      });
      const name = `after-${component}`;
      await waitFor('the apiserver to take a pod', async () => {
        const created = await c.kubectl(['run', name, '--image=busybox', '--restart=Never', '--', 'true']);
        return created.code === 0 || created.stderr.includes('AlreadyExists');
      });
      await c.waitForField(['pod', name], '{.status.phase}', 'Succeeded');
      await waitFor('the Service to answer', async () => (await curlWeb(c)) !== '');
      await c.kubectlOut(['delete', 'pod', name]);
    });
  }
});

async function processId(c: TestCluster, component: string): Promise<number> {
  const status = await c.podwire(['status', '-o', 'json']);
  const { processes } = JSON.parse(status.stdout) as { processes: { name: string; pid?: number }[] };
  const pid = processes.find(({ name }) => name === component)?.pid;
  if (pid === undefined) throw new Error(`${component} does not run`);
  return pid;
}
