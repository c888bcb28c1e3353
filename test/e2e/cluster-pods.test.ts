/** What the kubelet does for pods, seen through a real kubectl: a cluster of one node. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';

let cluster: TestCluster | undefined;

beforeAll(async () => {
  cluster = await TestCluster.start({ nodes: 1 });
});
afterAll(async () => {
  await cluster?.down();
});

function clusterTest(name: string, body: (cluster: TestCluster) => Promise<void>): void {
  test(name, async (context) => {
    if (cluster === undefined) {
      context.skip('no kubectl on this machine');
      return;
    }
    await body(cluster);
  });
}

function podManifest(name: string, spec: object, annotations = {}): string {
  const body = { terminationGracePeriodSeconds: 1, ...spec };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name, annotations }, spec: body });
}

const RESTARTS = '{.status.containerStatuses[0].restartCount}';
const WAITING = '{.status.containerStatuses[0].state.waiting.reason}';
const READY = '{.status.conditions[?(@.type=="Ready")].status}';

describe('pods', () => {
  clusterTest('init containers run in order, a sidecar beside them, and share an emptyDir', async (c) => {
    const volumeMounts = [{ name: 'work', mountPath: '/shared' }];
    const step = (name: string, script: string, rest: object = {}) => ({
      name,
      image: 'busybox',
      command: ['sh', '-c', script],
      volumeMounts,
      ...rest,
    });
    await c.apply(
      podManifest('steps', {
        volumes: [{ name: 'work', emptyDir: {} }],
        restartPolicy: 'Never',
        initContainers: [
          step('first', 'echo first >> /shared/log'),
          step('side', 'echo side >> /shared/log; sleep 1000', { restartPolicy: 'Always' }),
          step('second', 'echo second >> /shared/log'),
        ],
        containers: [step('main', 'cat /shared/log')],
      }),
    );
    await c.waitForField(['pod', 'steps'], '{.status.phase}', 'Succeeded');
    const lines = (await c.kubectlOut(['logs', 'steps', '-c', 'main'])).trim().split('\n');
    expect(lines.filter((line) => line !== 'side')).toEqual(['first', 'second']);
    await c.kubectlOut(['delete', 'pod', 'steps']);
  });

  clusterTest('a crashing container backs off, and keeps its previous log', async (c) => {
    const command = ['sh', '-c', 'echo going down; exit 7'];
    await c.apply(podManifest('crash', { containers: [{ name: 'c', image: 'busybox', command }] }));
    await c.waitForField(['pod', 'crash'], WAITING, 'CrashLoopBackOff');
    const exitCode = '{.status.containerStatuses[0].lastState.terminated.exitCode}';
    await c.waitForField(['pod', 'crash'], exitCode, '7');
    expect(await c.kubectlOut(['logs', 'crash', '--previous'])).toBe('going down\n');
    await described(c, 'crash', 'Back-off restarting failed container c in pod');
    await c.kubectlOut(['delete', 'pod', 'crash']);
  });

  clusterTest('probes: readiness takes a pod out, liveness restarts it', async (c) => {
    const probe = (file: string) => ({ exec: { command: ['cat', file] }, periodSeconds: 1, failureThreshold: 1 });
    await c.apply(
      podManifest('probed', {
        containers: [
          {
            name: 'c',
            image: 'busybox',
            command: ['sh', '-c', 'touch /tmp/live; sleep 1000'],
            readinessProbe: probe('/tmp/ready'),
            livenessProbe: { ...probe('/tmp/live'), initialDelaySeconds: 1 },
          },
        ],
      }),
    );
    await c.waitForField(['pod', 'probed'], '{.status.phase}', 'Running');
    expect(await c.kubectlOut(['get', 'pod', 'probed', '-o', `jsonpath=${READY}`])).toBe('False');
    await c.kubectlOut(['exec', 'probed', '--', 'touch', '/tmp/ready']);
    await c.waitForField(['pod', 'probed'], READY, 'True');
    await c.kubectlOut(['exec', 'probed', '--', 'rm', '/tmp/live']);
    await c.waitForField(['pod', 'probed'], RESTARTS, '1');
    await described(c, 'probed', 'Container c failed liveness probe, will be restarted');
    await c.kubectlOut(['delete', 'pod', 'probed']);
  });

  clusterTest('an HTTP probe is packets from the node to the pod', async (c) => {
    const httpGet = { path: '/healthz', port: 'web' };
    await c.apply(
      podManifest('http', {
        containers: [
          {
            name: 'c',
            image: 'registry.k8s.io/e2e-test-images/agnhost:2.53',
            args: ['netexec', '--http-port=8080'],
            ports: [{ name: 'web', containerPort: 8080 }],
            readinessProbe: { httpGet, periodSeconds: 1 },
          },
        ],
      }),
    );
    await c.waitForField(['pod', 'http'], READY, 'True');
    const clientIp = await c.podwire([
      'node',
      'exec',
      'worker-1',
      '--',
      'curl',
      '-s',
      await url(c, 'http', '/clientip'),
    ]);
    expect(clientIp.stdout).toMatch(/^10\.244\.\d+\.1:\d+/);
    await c.kubectlOut(['delete', 'pod', 'http']);
  });

  clusterTest('ConfigMaps and Secrets are mounted, and a mounted one follows its object', async (c) => {
    await c.apply(`
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { mode: slow, greeting: hello }
---
apiVersion: v1
kind: Secret
metadata: { name: login }
stringData: { password: s3cret }
`);
    await c.apply(
      podManifest('mounts', {
        volumes: [
          { name: 'conf', configMap: { name: 'settings' } },
          { name: 'sec', secret: { secretName: 'login' } },
          { name: 'me', downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
        ],
        containers: [
          {
            name: 'c',
            image: 'busybox',
            command: ['sleep', '100000'],
            env: [
              { name: 'GREETING', valueFrom: { configMapKeyRef: { name: 'settings', key: 'greeting' } } },
              { name: 'LOUD', value: '$(GREETING)!' },
            ],
            volumeMounts: [
              { name: 'conf', mountPath: '/etc/conf' },
              { name: 'sec', mountPath: '/etc/sec' },
              { name: 'me', mountPath: '/etc/me' },
            ],
          },
        ],
      }),
    );
    await c.waitForField(['pod', 'mounts'], READY, 'True');
    const read = (script: string) => c.kubectlOut(['exec', 'mounts', '--', 'sh', '-c', script]);
    const account = '/var/run/secrets/kubernetes.io/serviceaccount';
    expect(await read('cat /etc/conf/mode /etc/sec/password /etc/me/name; echo; echo $LOUD')).toBe(
      'slows3cretmounts\nhello!\n',
    );
    expect(await read(`cat ${account}/namespace; head -1 ${account}/ca.crt`)).toContain(
      'default-----BEGIN CERTIFICATE-----',
    );
    await c.kubectlOut(['patch', 'configmap', 'settings', '-p', '{"data":{"mode":"fast"}}']);
    await waitFor('the mounted file to change', async () => (await read('cat /etc/conf/mode')) === 'fast');
    await c.kubectlOut(['delete', 'pod', 'mounts']);
  });

  clusterTest('a missing ConfigMap is told, and the pod starts when it comes', async (c) => {
    const envFrom = [{ configMapRef: { name: 'late' } }];
    const command = ['sleep', '100000'];
    await c.apply(podManifest('waits', { containers: [{ name: 'c', image: 'busybox', command, envFrom }] }));
    await c.waitForField(['pod', 'waits'], WAITING, 'CreateContainerConfigError');
    await c.kubectlOut(['create', 'configmap', 'late', '--from-literal=A=b']);
    await c.waitForField(['pod', 'waits'], READY, 'True');
    await c.kubectlOut(['delete', 'pod', 'waits']);
  });

  clusterTest('termination: preStop first, then SIGTERM within the grace period', async (c) => {
    const script = 'trap "echo term; exit 0" TERM; echo up; while true; do sleep 1; done';
    await c.apply(
      podManifest('ends', {
        terminationGracePeriodSeconds: 60,
        containers: [
          {
            name: 'c',
            image: 'busybox',
            command: ['sh', '-c', script],
            lifecycle: { preStop: { exec: { command: ['sh', '-c', 'echo stopping > /proc/1/fd/1'] } } },
          },
        ],
      }),
    );
    await c.waitForField(['pod', 'ends'], READY, 'True');
    const following = c.spawnKubectl(['logs', '-f', 'ends']);
    let log = '';
    following.stdout?.on('data', (data) => {
      log += data;
    });
    const over = once(following, 'close');
    await waitFor('the first line', () => log === 'up\n');
    await c.kubectlOut(['delete', 'pod', 'ends']);
    await over;
    expect(log).toBe('up\nstopping\nterm\n');
  });

  clusterTest('host network and host ports', async (c) => {
    const web = { image: 'registry.k8s.io/e2e-test-images/agnhost:2.53', args: ['netexec', '--http-port=8080'] };
    const ports = [{ containerPort: 8080, hostPort: 8888 }];
    await c.apply(
      podManifest('on-host', {
        hostNetwork: true,
        containers: [{ name: 'c', ...web, args: ['netexec', '--http-port=7070'] }],
      }),
    );
    await c.apply(podManifest('port', { containers: [{ name: 'c', ...web, ports }] }));
    await c.apply(
      podManifest('client', { containers: [{ name: 'c', image: 'busybox', command: ['sleep', '100000'] }] }),
    );
    for (const name of ['on-host', 'port', 'client']) await c.waitForField(['pod', name], READY, 'True');
    const says = async (address: string, name: string) => {
      const command = ['exec', 'client', '--', 'wget', '-qO-', '-T', '2', `http://${address}/hostname`];
      await waitFor(`${name} to answer`, async () => (await c.kubectl(command)).stdout.trim() === name);
    };
    await says('192.168.1.10:7070', 'worker-1');
    await says('192.168.1.10:8888', 'port');
    await c.kubectlOut(['delete', 'pod', 'on-host', 'port', 'client']);
  });
});

describe('ways into a pod', () => {
  clusterTest('port-forward, cp and attach', async (c) => {
    const script = 'while read line; do echo "got $line"; done';
    await c.apply(
      podManifest('open', {
        containers: [
          { name: 'web', image: 'nginx' },
          { name: 'echo', image: 'busybox', command: ['sh', '-c', script], stdin: true },
        ],
      }),
    );
    await c.waitForField(['pod', 'open'], READY, 'True');

    const forward = c.spawnKubectl(['port-forward', 'pod/open', ':80']);
    try {
      let said = '';
      forward.stdout?.on('data', (data) => {
        said += data;
      });
      await waitFor('port-forward to listen', () => /127\.0\.0\.1:\d+/.test(said));
      const port = Number(/127\.0\.0\.1:(\d+)/.exec(said)?.[1]);
      const page = await fetch(`http://127.0.0.1:${port}/`);
      expect(await page.text()).toContain('nginx');
      await expectAnswer(port);
    } finally {
      forward.kill();
    }

    const folder = mkdtempSync(join(tmpdir(), 'podwire-cp-'));
    try {
      writeFileSync(join(folder, 'there.txt'), 'to the pod and back\n');
      await c.kubectlOut(['cp', join(folder, 'there.txt'), 'open:/tmp/x.txt', '-c', 'echo']);
      await c.kubectlOut(['cp', 'open:/tmp/x.txt', join(folder, 'back.txt'), '-c', 'echo']);
      expect(readFileSync(join(folder, 'back.txt'), 'utf8')).toBe('to the pod and back\n');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }

    const attached = c.spawnKubectl(['attach', '-i', 'open', '-c', 'echo']);
    try {
      let heard = '';
      attached.stdout?.on('data', (data) => {
        heard += data;
      });
      attached.stdin?.write('one\n');
      await waitFor('the attached container to answer', () => heard.includes('got one'));
    } finally {
      attached.kill();
    }
    await c.kubectlOut(['delete', 'pod', 'open']);
  });
});

describe('the node itself', () => {
  clusterTest('shows its devices, routes and rules in the words of their tools', async (c) => {
    const onNode = async (...command: string[]) => {
      const result = await c.podwire(['node', 'exec', 'worker-1', '--', ...command]);
      expect(result.stderr).toBe('');
      return result.stdout;
    };
    expect(await onNode('ip', 'route')).toMatch(/10\.244\.1\.0\/24 dev cni0 .*src 10\.244\.1\.1/);
    expect(await onNode('ip', '-d', 'link', 'show', 'flannel.1')).toMatch(/vxlan id 1 /);
    expect(await onNode('iptables-save', '-t', 'nat')).toContain('-A KUBE-SERVICES');
    expect(await onNode('ss', '-tln')).toContain('State');
    const pod = await c.kubectlOut([
      'get',
      'pod',
      '-n',
      'kube-system',
      '-l',
      'k8s-app=kube-dns',
      '-o',
      'jsonpath={.items[0].status.podIP}',
    ]);
    expect(await onNode('ping', '-c', '1', pod)).toMatch(/1 (packets )?received/);
  });

  clusterTest('runs commands in the network namespace of a pod', async (c) => {
    const selected = ['get', 'pod', '-n', 'kube-system', '-l', 'k8s-app=kube-dns', '-o'];
    const [node = '', name = '', address = ''] = (
      await c.kubectlOut([
        ...selected,
        'jsonpath={.items[0].spec.nodeName} {.items[0].metadata.name} {.items[0].status.podIP}',
      ])
    ).split(' ');
    const namespace = `cni-kube-system.${name}`;
    const onNode = (...command: string[]) => c.podwire(['node', 'exec', node, '--', ...command]);
    expect((await onNode('ip', 'netns', 'list')).stdout).toContain(`${namespace} (id: `);
    expect((await onNode('ip', 'netns', 'exec', namespace, 'ip', 'addr')).stdout).toContain(`inet ${address}/24`);
    expect((await onNode('ip', 'netns', 'exec', namespace, 'ping', '-c', '1', '192.168.1.10')).stdout).toMatch(
      /1 (packets )?received/,
    );
  });

  clusterTest("answers at its kubelet's endpoints", async (c) => {
    const raw = (path: string) => c.kubectlOut(['get', '--raw', `/api/v1/nodes/worker-1${path}`]);
    expect(await raw('/proxy/healthz')).toBe('ok');
    expect(await raw(':10250/proxy/metrics')).toMatch(/^kubelet_running_pods \d+$/m);
    const usage = { 'podwire.dev/cpu': '250m', 'podwire.dev/memory': '64Mi' };
    const containers = [{ name: 'c', image: 'busybox', command: ['sh', '-c', 'echo one; echo two; sleep 100000'] }];
    await c.apply(podManifest('measured', { containers, nodeName: 'worker-1' }, usage));
    await c.waitForField(['pod', 'measured'], READY, 'True');
    const pods = JSON.parse(await raw('/proxy/pods'));
    const names = pods.items.map((pod: { metadata: { name: string } }) => pod.metadata.name);
    expect(pods.kind).toBe('PodList');
    expect(names).toContain('measured');
    await waitFor(
      'its last line',
      async () => (await raw('/proxy/containerLogs/default/measured/c?tailLines=1')) === 'two\n',
    );
    expect(
      (await c.kubectl(['get', '--raw', '/api/v1/nodes/worker-1/proxy/containerLogs/default/measured/x'])).code,
    ).toBe(1);
    const memory = 'container_memory_working_set_bytes{container="c",namespace="default",pod="measured"} 67108864 ';
    expect(await raw('/proxy/metrics/resource')).toContain(memory);
    const stats = JSON.parse(await raw('/proxy/stats/summary'));
    expect(stats.node).toMatchObject({ nodeName: 'worker-1', memory: { rssBytes: expect.any(Number) } });
    expect(stats.pods).toContainEqual(
      expect.objectContaining({
        podRef: expect.objectContaining({ name: 'measured', namespace: 'default' }),
        cpu: expect.objectContaining({ usageNanoCores: 250_000_000 }),
        memory: expect.objectContaining({ workingSetBytes: 64 * 1024 * 1024 }),
      }),
    );
    expect(JSON.parse(await raw('/proxy/configz')).kubeletconfig.clusterDNS).toEqual(['10.96.0.10']);
    const absent = await c.kubectl(['get', '--raw', '/api/v1/nodes/worker-1/proxy/nothing']);
    expect(absent.stderr).toContain('NotFound');
    await c.kubectlOut(['delete', 'pod', 'measured', '--now']);
  });

  clusterTest('keeps its pods over a restart', async (c) => {
    await c.apply(
      podManifest('stays', { containers: [{ name: 'c', image: 'busybox', command: ['sleep', '100000'] }] }),
    );
    await c.waitForField(['pod', 'stays'], READY, 'True');
    const address = await c.kubectlOut(['get', 'pod', 'stays', '-o', 'jsonpath={.status.podIP}']);
    expect((await c.podwire(['node', 'kill', 'worker-1'])).code).toBe(0);
    expect((await c.podwire(['node', 'start', 'worker-1'])).code).toBe(0);
    await c.waitForField(['pod', 'stays'], RESTARTS, '1');
    await c.waitForField(['pod', 'stays'], READY, 'True');
    expect(await c.kubectlOut(['get', 'pod', 'stays', '-o', 'jsonpath={.status.podIP}'])).toBe(address);
    await c.kubectlOut(['delete', 'pod', 'stays']);
  });
});

/** Events are told behind what they are about. */
async function described(c: TestCluster, pod: string, words: string): Promise<void> {
  await waitFor(`the event "${words}"`, async () => (await c.kubectlOut(['describe', 'pod', pod])).includes(words));
}

async function url(c: TestCluster, pod: string, path: string): Promise<string> {
  const address = await c.kubectlOut(['get', 'pod', pod, '-o', 'jsonpath={.status.podIP}']);
  return `http://${address}:8080${path}`;
}

/** A second connection works as well as the first: each is a stream of its own. */
function expectAnswer(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, '127.0.0.1', () => socket.end('GET / HTTP/1.0\r\n\r\n'));
    let answer = '';
    socket.on('data', (data) => {
      answer += data;
    });
    socket.on('error', reject);
    socket.on('close', () => (answer.startsWith('HTTP/1.') ? resolve() : reject(new Error(`no answer: ${answer}`))));
  });
}
