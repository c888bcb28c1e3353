/** What @kubernetes/client-node does with running pods: exec, attach, port-forward by WebSocket, logs, restart counts. */
import { once } from 'node:events';
import { join } from 'node:path';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { Attach, CoreV1Api, Exec, KubeConfig, Log, PortForward, type V1Status } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../wait-for.ts';
import { TestCluster } from './cluster.ts';

const cluster = await TestCluster.start({ nodes: 1 });
const NAMESPACE = 'default';

const PODS = `
apiVersion: v1
kind: Pod
metadata: {name: shell}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: main, image: busybox, stdin: true, command: [sh, -c, "while read line; do echo heard $line; done"]}
  - {name: ticks, image: busybox, command: [sh, -c, "i=0; while true; do echo tick $i; i=$((i+1)); sleep 0.1; done"]}
---
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: main, image: "registry.k8s.io/e2e-test-images/agnhost:2.53", args: [netexec, --http-port=8080]}
---
apiVersion: v1
kind: Pod
metadata: {name: again}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: main, image: busybox, command: [sh, -c, "sleep 0.2; exit 3"]}
`;

/** A stream, and all that was written to it. */
function collector(): { readonly stream: Writable; readonly text: () => string } {
  let text = '';
  const stream = new PassThrough();
  stream.on('data', (data: Buffer) => {
    text += data.toString('utf8');
  });
  // A log that is broken off is an error of what it was piped from.
  stream.on('pipe', (source: Readable) => source.on('error', () => stream.destroy()));
  return { stream, text: () => text };
}

describe.skipIf(cluster === undefined)('@kubernetes/client-node', () => {
  const config = new KubeConfig();
  let core: CoreV1Api;

  beforeAll(async () => {
    config.loadFromFile(join(cluster!.home, 'e2e', 'kubeconfig'));
    core = config.makeApiClient(CoreV1Api);
    await cluster!.apply(PODS);
    await cluster!.kubectlOut(['wait', '--for=condition=Ready', 'pod/shell', 'pod/web', '--timeout=120s']);
  });
  afterAll(() => cluster!.down());

  async function exec(command: string[], input?: string): Promise<{ out: string; err: string; status: V1Status }> {
    const [out, err] = [collector(), collector()];
    const stdin = input === undefined ? null : new PassThrough();
    const ended = Promise.withResolvers<V1Status>();
    await new Exec(config).exec(
      NAMESPACE,
      'shell',
      'main',
      command,
      out.stream,
      err.stream,
      stdin,
      false,
      ended.resolve,
    );
    stdin?.end(input);
    return { status: await ended.promise, out: out.text(), err: err.text() };
  }

  it('executes commands, with both outputs and the exit code', async () => {
    const { out, err, status } = await exec(['sh', '-c', 'echo out; echo err >&2; exit 7']);
    expect({ out, err }).toEqual({ out: 'out\n', err: 'err\n' });
    expect(status).toMatchObject({ status: 'Failure', reason: 'NonZeroExitCode' });
    expect(status.details?.causes).toEqual([{ reason: 'ExitCode', message: '7' }]);
    expect((await exec(['true'])).status.status).toBe('Success');
  });

  it('feeds a command', async () => {
    const { out, status } = await exec(['head', '-n', '2'], 'one\ntwo\nthree\n');
    expect(out).toBe('one\ntwo\n');
    expect(status.status).toBe('Success');
  });

  it('executes many commands at a time', async () => {
    const all = await Promise.all(Array.from({ length: 15 }, (_, i) => exec(['echo', String(i)])));
    expect(all.map(({ out }) => out)).toEqual(Array.from({ length: 15 }, (_, i) => `${i}\n`));
  });

  it('attaches to a running container', async () => {
    const out = collector();
    const stdin = new PassThrough();
    const socket = await new Attach(config).attach(NAMESPACE, 'shell', 'main', out.stream, null, stdin, false);
    stdin.write('me\n');
    await waitFor('the answer', () => out.text().includes('heard me\n'));
    socket.close();
  });

  it('forwards a port', async () => {
    const out = collector();
    const stdin = new PassThrough();
    const socket = await new PortForward(config).portForward(NAMESPACE, 'web', [8080], out.stream, null, stdin);
    stdin.write('GET /hostname HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n');
    await waitFor('the answer', () => out.text().endsWith('web'));
    expect(out.text()).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    if (typeof socket !== 'function') socket.close();
  });

  it('follows logs until it has enough', async () => {
    const out = collector();
    const controller = await new Log(config).log(NAMESPACE, 'shell', 'ticks', out.stream, {
      follow: true,
      tailLines: 1,
    });
    await waitFor('ten lines', () => out.text().split('\n').length > 10);
    controller.abort();
    const ticks = out
      .text()
      .trim()
      .split('\n')
      .map((line) => Number(line.split(' ')[1]));
    expect(ticks.slice(0, 10)).toEqual(Array.from({ length: 10 }, (_, i) => (ticks[0] as number) + i));
    const past = collector();
    await new Log(config).log(NAMESPACE, 'shell', 'ticks', past.stream, { tailLines: 3, timestamps: true });
    if (!past.stream.writableFinished) await once(past.stream, 'finish');
    expect(past.text()).toMatch(/^(\d{4}-\d\d-\d\dT[\d:.]+Z tick \d+\n){3}$/);
  });

  it('counts restarts, and has the log of the time before', async () => {
    const status = await waitFor('two restarts', async () => {
      const pod = await core.readNamespacedPodStatus({ namespace: NAMESPACE, name: 'again' });
      const [container] = pod.status?.containerStatuses ?? [];
      return (container?.restartCount ?? 0) >= 2 ? container : undefined;
    });
    expect(status.lastState?.terminated).toMatchObject({ exitCode: 3, reason: 'Error' });
  });
});
