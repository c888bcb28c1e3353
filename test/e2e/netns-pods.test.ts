/** Pods of the RuntimeClass `netns`: programs of this machine in network namespaces, plugged into the emulated network. */
import { existsSync } from 'node:fs';
import { createConnection } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kernelLacks } from '../interop/kernel-lacks.ts';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';
import { type CommandResult, run } from './run-command.ts';

const programs = ['ip', 'unshare', 'nsenter', 'setpriv', 'setsid', 'python3', 'curl', 'getent', 'script'];
const missing = await kernelLacks(programs, ['tun']);
if (missing !== undefined) process.stderr.write(`netns pods: skipped: ${missing}\n`);
/** Of this machine's kernel. */
const hasIpv6 = existsSync('/proc/net/if_inet6');
const families = hasIpv6 ? ['--ip-family', 'dual'] : [];
const cluster =
  missing === undefined ? await TestCluster.start({ nodes: 2, arguments: ['--allow-netns', ...families] }) : undefined;

const pages = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'pages' },
  data: { 'index.html': 'hello from a kernel\n' },
};

function pod(name: string, node: string, spec: object): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: { nodeName: node, terminationGracePeriodSeconds: 1, ...spec },
  };
}

function service(name: string, port: number, targetPort: number): object {
  const spec = { selector: { app: name }, ports: [{ port, targetPort }] };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec };
}

const real = pod('real', 'worker-1', {
  runtimeClassName: 'netns',
  volumes: [
    { name: 'pages', configMap: { name: 'pages' } },
    { name: 'scratch', emptyDir: {} },
  ],
  containers: [
    {
      name: 'web',
      image: 'python',
      command: ['python3', '-u', '-m', 'http.server', '--directory', '/srv/pages', '8080'],
      env: [{ name: 'COLOUR', value: 'blue' }],
      volumeMounts: [
        { name: 'pages', mountPath: '/srv/pages' },
        { name: 'scratch', mountPath: '/scratch' },
      ],
      readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
      livenessProbe: { exec: { command: ['test', '-e', '/srv/pages/index.html'] }, periodSeconds: 1 },
    },
    {
      name: 'beside',
      image: 'shell',
      command: ['sh', '-c', 'echo from beside >/scratch/note; exec sleep 1000'],
      volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }],
    },
  ],
});

const emulated = [
  pod('web', 'worker-2', { containers: [{ name: 'web', image: 'nginx' }] }),
  pod('box', 'worker-2', { containers: [{ name: 'box', image: 'netshoot', command: ['sleep', 'infinity'] }] }),
  service('web', 80, 80),
];

async function apply(...objects: object[]): Promise<void> {
  await cluster!.apply(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
}

/** Namespaces are the machine's: other files may have pods of their own in some at the same time. */
const OURS = /^podwire-e2e-default-(real|failing|idle|again|other)-/;

async function namespaces(): Promise<string[]> {
  const { stdout } = await run('ip', ['netns', 'list']);
  return stdout.split('\n').filter((line) => OURS.test(line));
}

/** Some kubectls lose output that comes before they have made the stream for it, and say so: they are asked again. */
const LOST_OUTPUT = /websocket\.go.*Unknown stream id/;

async function exec(name: string, command: readonly string[]): Promise<CommandResult> {
  return waitFor(`kubectl exec ${name} -- ${command.join(' ')}`, async () => {
    const result = await cluster!.kubectl(['exec', name, '--', ...command]);
    return LOST_OUTPUT.test(result.stderr) ? undefined : result;
  });
}

async function out(name: string, command: readonly string[]): Promise<string> {
  const result = await exec(name, command);
  expect(result.stderr.replace(/^Defaulted container.*\n/, ''), command.join(' ')).toBe('');
  return result.stdout;
}

/** Ready pods may be there a moment before the rules that lead to them. */
async function serviceAnswers(from: string, url: string, text: string): Promise<void> {
  const command = ['curl', '-s', '--max-time', '5', url];
  await waitFor(`${url} to answer`, async () => (await exec(from, command)).stdout.includes(text));
}

const READY = '{.status.conditions[?(@.type=="Ready")].status}';

describe.skipIf(cluster === undefined)('a netns pod', () => {
  let before: string[];

  beforeAll(async () => {
    before = await namespaces();
    await apply(pages, real, service('real', 80, 8080), ...emulated);
    for (const name of ['real', 'web', 'box']) await cluster!.waitForField(['pod', name], READY, 'True');
  });
  afterAll(() => cluster?.down());

  const mine = async (): Promise<string[]> => (await namespaces()).filter((line) => !before.includes(line));

  it('answers an emulated pod of another node through its Service', async () => {
    await serviceAnswers('box', 'http://real', 'hello from a kernel\n');
    const address = await cluster!.kubectlOut(['get', 'pod', 'real', '-o', 'jsonpath={.status.podIP}']);
    expect(await out('box', ['ping', '-c', '2', address])).toContain('2 packets transmitted, 2 received');
  });

  it('reaches a Service by its name in the cluster', async () => {
    await serviceAnswers('real', 'http://web', 'Welcome to nginx!');
    expect(await out('real', ['getent', 'hosts', 'web.default.svc.cluster.local'])).toMatch(/^10\.\d+\.\d+\.\d+ /);
  });

  it('speaks IPv6 where the cluster does', async ({ skip }) => {
    if (!hasIpv6) skip("this machine's kernel has no IPv6");
    const second = '-o=jsonpath={.status.podIPs[1].ip}';
    const [real6, web6] = await Promise.all(
      ['real', 'web'].map((name) => cluster!.kubectlOut(['get', 'pod', name, second])),
    );
    await serviceAnswers('real', `http://[${web6}]`, 'Welcome to nginx!');
    expect(await out('box', ['ping', '-6', '-c', '2', real6!])).toContain('2 packets transmitted, 2 received');
  });

  it('has the address, MAC, MTU and routes of any pod', async () => {
    const address = await cluster!.kubectlOut(['get', 'pod', 'real', '-o', 'jsonpath={.status.podIP}']);
    const link = await out('real', ['ip', 'address', 'show', 'dev', 'eth0']);
    expect(link).toContain(`inet ${address}/24`);
    expect(link).toContain('mtu 1450');
    expect(link).toContain('link/ether 0a:58:0a:f4:01:');
    expect(await out('real', ['ip', 'route'])).toMatch(/^default via 10\.244\.1\.1 dev eth0/);
  });

  it('runs commands in its containers: environment, exit codes, input, a terminal', async () => {
    expect(await out('real', ['sh', '-c', 'echo $COLOUR; hostname; cat /scratch/note'])).toBe(
      'blue\nreal\nfrom beside\n',
    );
    expect((await exec('real', ['sh', '-c', 'exit 7'])).code).toBe(7);
    expect((await exec('real', ['no-such-program'])).stderr).toContain('executable file not found in $PATH');
    const fed = await cluster!.kubectl(['exec', '-i', 'real', '-c', 'web', '--', 'wc', '-c'], { input: 'four' });
    expect(fed.stdout.trim()).toBe('4');
    const sized = 'until [ "$(stty size)" != "24 80" ]; do :; done; stty size';
    const typed = await run(
      'script',
      ['-qec', `stty rows 33 cols 101; kubectl exec -it real -- sh -c '${sized}'`, '/dev/null'],
      {
        env: { KUBECONFIG: `${cluster!.home}/e2e/kubeconfig` },
      },
    );
    expect(typed.stdout).toContain('33 101');
  });

  it('sees a changed configMap', async () => {
    await apply({ ...pages, data: { 'index.html': 'hello again\n' } });
    await waitFor('the new page', async () => (await out('box', ['curl', '-s', 'http://real'])) === 'hello again\n');
  });

  it('logs what its program writes', async () => {
    expect(await cluster!.kubectlOut(['logs', 'real', '-c', 'web'])).toContain('"GET / HTTP/1.1" 200');
  });

  it('is reached by port-forward', async () => {
    const forward = cluster!.spawnKubectl(['port-forward', 'pod/real', ':8080']);
    try {
      let said = '';
      forward.stdout?.on('data', (data) => {
        said += data;
      });
      const port = Number(await waitFor('port-forward to listen', () => /:(\d+) ->/.exec(said)?.[1]));
      const socket = createConnection({ host: '127.0.0.1', port });
      socket.end('GET / HTTP/1.0\r\n\r\n');
      let answer = '';
      for await (const chunk of socket) answer += String(chunk);
      expect(answer).toContain('hello again');
    } finally {
      forward.kill();
    }
  });

  it('restarts a program that fails, with its exit code and last words', async () => {
    const command = ['sh', '-c', 'echo because >/dev/termination-log; exit 3'];
    await apply(
      pod('failing', 'worker-1', { runtimeClassName: 'netns', containers: [{ name: 'c', image: 'x', command }] }),
    );
    const waiting = '{.status.containerStatuses[0].state.waiting.reason}';
    await cluster!.waitForField(['pod', 'failing'], waiting, 'CrashLoopBackOff');
    const last = '{.status.containerStatuses[0].lastState.terminated';
    await cluster!.waitForField(['pod', 'failing'], `${last}.exitCode}`, '3');
    await cluster!.waitForField(['pod', 'failing'], `${last}.message}`, 'because\n');
    await cluster!.kubectlOut(['delete', 'pod', 'failing']);
  });

  it('needs a command and a RuntimeClass that exists', async () => {
    await apply(
      pod('idle', 'worker-1', {
        runtimeClassName: 'netns',
        restartPolicy: 'Never',
        containers: [{ name: 'c', image: 'x' }],
      }),
    );
    const reason = '{.status.containerStatuses[0].state.terminated.reason}';
    await cluster!.waitForField(['pod', 'idle'], reason, 'StartError');
    await cluster!.kubectlOut(['delete', 'pod', 'idle']);
    const refused = cluster!.apply(
      JSON.stringify(pod('none', 'worker-1', { runtimeClassName: 'nope', containers: [{ name: 'c', image: 'x' }] })),
    );
    await expect(refused).rejects.toThrow('pod rejected: RuntimeClass "nope" not found');
  });

  it('leaves nothing behind when it is deleted', async () => {
    expect(await mine()).toHaveLength(1);
    await cluster!.kubectlOut(['delete', 'pod', 'real']);
    expect(await mine()).toEqual([]);
  });

  it('is collected when its node was killed and comes back, or the cluster is stopped', async () => {
    const names = ['again', 'other'];
    const command = ['sleep', '1000'];
    // However long the node is away, its pods are not replaced meanwhile.
    const tolerations = [{ operator: 'Exists', effect: 'NoExecute' }];
    for (const name of names) {
      await apply(
        pod(name, 'worker-1', {
          runtimeClassName: 'netns',
          tolerations,
          containers: [{ name: 'c', image: 'x', command }],
        }),
      );
      await cluster!.waitForField(['pod', name], READY, 'True');
    }
    expect(await mine()).toHaveLength(2);
    await cluster!.podwire(['node', 'kill', 'worker-1']);
    await cluster!.podwire(['node', 'start', 'worker-1']);
    for (const name of names) {
      // The namespace is another one of the same name: the old one's eth0 went with the process that had made it.
      await waitFor(`${name} to run again`, async () => {
        const { code, stdout } = await exec(name, ['ip', 'address', 'show', 'dev', 'eth0']);
        return code === 0 && stdout.includes('inet 10.244.1.');
      });
    }
    expect(await mine()).toHaveLength(2);
    await cluster!.podwire(['node', 'kill', 'worker-1']);
    await cluster!.podwire(['down']);
    expect(await mine()).toEqual([]);
  });
});
