/** The podwire command with real clusters: what it starts, what survives which death, and that nothing is left behind. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { ConfigMap, Pod } from 'kubernetes-types/core/v1.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CONFIGMAPS, PODS } from '../../shared/api/resources.ts';
import { createApiClient } from '../../shared/bus/api-client.ts';
import { connectBus } from '../../shared/bus/connection.ts';
import { waitFor } from '../wait-for.ts';
import { ownPorts } from './own-ports.ts';
import { type CommandResult, run } from './run-command.ts';

const MAIN = resolve(import.meta.dirname, '../../cli/main.ts');
const UP_LIMIT_MS = 150_000;

interface ProcessRow {
  readonly name: string;
  readonly node?: string;
  readonly pod?: string;
  readonly pid?: number;
  readonly state: string;
  readonly restarts: number;
  readonly rssBytes?: number;
}

interface Status {
  readonly cluster: string;
  readonly ready: boolean;
  readonly natsUrl: string;
  readonly apiUrl: string;
  readonly kubeconfig: string;
  readonly nodes: readonly { readonly name: string; readonly endpoint: string }[];
  readonly processes: readonly ProcessRow[];
}

let home: string;
const started = new Set<number>();

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'pw-'));
});
afterEach(async () => {
  for (const name of ['one', 'two']) await podwire(['down', '--name', name, '--delete']);
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

function podwire(args: readonly string[]): Promise<CommandResult> {
  return run(process.execPath, [MAIN, ...args], { env: { PODWIRE_HOME: home }, timeoutMs: UP_LIMIT_MS });
}

async function up(name: string, ...args: string[]): Promise<void> {
  const { code, stdout, stderr } = await podwire(['up', '--detach', '--name', name, '--nodes', '2', ...args]);
  if (code !== 0) throw new Error(`podwire up failed:\n${stdout}${stderr}`);
}

async function statusOf(name: string): Promise<Status> {
  const { stdout, stderr } = await podwire(['status', '--name', name, '-o', 'json']);
  if (stdout === '') throw new Error(stderr);
  const status: Status = JSON.parse(stdout);
  for (const { pid } of status.processes) if (pid !== undefined) started.add(pid);
  return status;
}

function pidOf(status: Status, name: string): number {
  return status.processes.find((row) => row.name === name)?.pid ?? 0;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function isFree(url: string): Promise<boolean> {
  return new Promise((resolveFree) => {
    const server = createServer();
    server.once('error', () => resolveFree(false));
    server.listen(Number(new URL(url).port), '127.0.0.1', () => server.close(() => resolveFree(true)));
  });
}

/** No process that `status` has ever shown, and none of the cluster's ports. */
async function expectNothingLeft(status: Status): Promise<void> {
  await waitFor('all processes to be gone', () => ![...started].some(isAlive));
  expect(await Promise.all([status.apiUrl, status.natsUrl].map(isFree))).toEqual([true, true]);
}

async function withApi<T>(status: Status, use: (api: ReturnType<typeof createApiClient>) => Promise<T>): Promise<T> {
  const token = readFileSync(join(home, status.cluster, 'nats/token'), 'utf8').trim();
  const bus = await connectBus({ url: status.natsUrl, token, cluster: status.cluster, clientName: 'test' });
  try {
    return await use(createApiClient(bus, { user: 'test', retryForMs: 60_000 }));
  } finally {
    await bus.close();
  }
}

function writeNote(status: Status, text: string): Promise<ConfigMap> {
  return withApi(status, (api) =>
    api.create<ConfigMap>(CONFIGMAPS, { metadata: { name: 'note', namespace: 'default' }, data: { text } }),
  );
}

function readNote(status: Status): Promise<string | undefined> {
  return withApi(status, async (api) => (await api.get<ConfigMap>(CONFIGMAPS, 'note', 'default')).data?.text);
}

describe('podwire', { timeout: 400_000 }, () => {
  it('runs each component as a process of its own, and two clusters side by side', async () => {
    await up('one', ...(await ownPorts()));
    await up('two');
    // A node that is slow to answer is left out.
    const one = await waitFor('all processes to be shown', async () => {
      const status = await statusOf('one');
      return status.processes.length >= 12 ? status : undefined;
    });
    const two = await statusOf('two');
    const counts = new Map<string, number>();
    for (const { name, pid } of one.processes) if (pid !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
    expect(Object.fromEntries(counts)).toEqual({
      supervisor: 1,
      'nats-server': 1,
      apiserver: 1,
      scheduler: 1,
      'controller-manager': 1,
      'cloud-controller': 1,
      'node-agent': 2,
      'kube-proxy': 2,
      coredns: 2,
    });
    expect(new Set(one.processes.map(({ pid }) => pid)).size).toBe(12);
    expect(one.apiUrl).not.toBe(two.apiUrl);
    const endpoints = [...one.nodes, ...two.nodes].map(({ endpoint }) => endpoint);
    expect(new Set(endpoints).size).toBe(4);

    const again = await podwire(['up', '--name', 'one']);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain("cluster 'one' is running already");
    const taken = await podwire(['up', '--name', 'three', '--api-port', new URL(one.apiUrl).port]);
    expect(taken.code).toBe(1);
    expect(taken.stderr).toContain('is taken by another process');
    expect((await statusOf('one')).processes.map(({ restarts }) => restarts)).toEqual(one.processes.map(() => 0));

    expect((await podwire(['down', '--name', 'one'])).stdout).toBe("cluster 'one' is stopped\n");
    expect((await statusOf('two')).ready).toBe(true);
    expect((await podwire(['down', '--name', 'two'])).code).toBe(0);
    await expectNothingLeft(one);
  });

  it('kills, shows and starts nodes', async () => {
    await up('one');
    const before = await statusOf('one');
    expect((await podwire(['node', 'kill', 'worker-2', '--name', 'one'])).stdout).toBe('node worker-2 is killed\n');
    const down = await statusOf('one');
    expect(down.processes.find(({ node, pod }) => node === 'worker-2' && pod === undefined)?.state).toBe('dead');
    const lost = before.processes.filter(({ node }) => node === 'worker-2').map(({ pid }) => pid ?? 0);
    expect(lost.length).toBeGreaterThan(1);
    await waitFor('what ran on the node to be gone', () => !lost.some(isAlive));
    await waitFor('the node to be NotReady', async () =>
      (await podwire(['node', 'list', '--name', 'one'])).stdout.includes('NotReady'),
    );
    const unknown = await podwire(['node', 'start', 'worker-9', '--name', 'one']);
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toBe("podwire: there is no node 'worker-9': the nodes are worker-1, worker-2\n");
    expect((await podwire(['node', 'start', 'worker-2', '--name', 'one'])).code).toBe(0);
    await waitFor(
      'the node to be Ready',
      async () => !(await podwire(['node', 'list', '--name', 'one'])).stdout.includes('NotReady'),
    );
  });

  it('runs commands on a node and ends with their exit codes', async () => {
    await up('one');
    const shell = ['--', 'sh', '-c'];
    const said = await podwire([
      'node',
      'exec',
      'worker-1',
      '--name',
      'one',
      ...shell,
      'echo out; echo err >&2; exit 7',
    ]);
    expect(said).toEqual({ code: 7, stdout: 'out\n', stderr: 'err\n' });
    expect((await podwire(['node', 'kill', 'worker-1', '--name', 'one'])).code).toBe(0);
    const down = await podwire(['node', 'exec', 'worker-1', '--name', 'one', ...shell, 'true']);
    expect(down).toEqual({
      code: 1,
      stdout: '',
      stderr: 'podwire: node worker-1 is down: podwire node start worker-1\n',
    });
  });

  it('starts the control plane again when it is killed, and loses nothing', async () => {
    await up('one');
    const before = await statusOf('one');
    await writeNote(before, 'kept');
    const victims = ['nats-server', 'apiserver', 'scheduler', 'controller-manager', 'cloud-controller'];
    for (const name of victims) process.kill(pidOf(before, name), 'SIGKILL');
    await waitFor('all to be started again', async () => {
      const { processes } = await statusOf('one');
      return victims.every((victim) =>
        processes.some(({ name, restarts, state }) => name === victim && restarts > 0 && state === 'running'),
      );
    });
    expect(await readNote(await statusOf('one'))).toBe('kept');
  });

  it('leaves nothing behind when the supervisor is killed, and continues where it was', async () => {
    await up('one', ...(await ownPorts()));
    const before = await statusOf('one');
    await writeNote(before, 'kept');
    process.kill(pidOf(before, 'supervisor'), 'SIGKILL');
    await expectNothingLeft(before);
    const { code, stderr } = await podwire(['status', '--name', 'one']);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining("no cluster 'one' is running") });
    await up('one');
    const after = await statusOf('one');
    expect(after.apiUrl).toBe(before.apiUrl);
    expect(await readNote(after)).toBe('kept');
  });

  it('started again, is ready only when it is, whatever the store says of the run before', async () => {
    await up('one');
    await podwire(['down', '--name', 'one']);
    const startedMs = Math.floor(Date.now() / 1000) * 1000;
    await up('one');
    const status = await statusOf('one');
    expect(status.processes.filter(({ state }) => state !== 'running')).toEqual([]);
    expect(await isFree(status.apiUrl)).toBe(false);
    const pods = await withApi(status, (api) => api.list<Pod>(PODS, { namespace: 'kube-system' }));
    const dns = pods.items.filter(({ metadata }) => metadata?.labels?.['k8s-app'] === 'kube-dns');
    const since = dns.filter(({ status: { containerStatuses = [] } = {} }) =>
      containerStatuses.every(({ ready, state }) => ready && Date.parse(state?.running?.startedAt ?? '') >= startedMs),
    );
    expect(since.length).toBe(2);
  });

  it('in the foreground ends with Ctrl-C and leaves nothing behind', async () => {
    const args = [MAIN, 'up', '--name', 'one', '--nodes', '2', ...(await ownPorts())];
    const child = spawn(process.execPath, args, {
      env: { ...process.env, PODWIRE_HOME: home },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let shown = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      shown += text;
    });
    await waitFor('the last line', () => shown.includes('kubectl get pods'), UP_LIMIT_MS);
    expect(shown).toMatch(
      /cluster 'one' is ready after \d+\.\d\d s\n\nexport KUBECONFIG=.*\nkubectl get pods -A -o wide/,
    );
    const status = await statusOf('one');
    expect((await podwire(['kubeconfig', '--name', 'one'])).stdout).toBe(`${status.kubeconfig}\n`);
    child.kill('SIGINT');
    expect((await once(child, 'exit'))[0]).toBe(0);
    await expectNothingLeft(status);
  });

  it('in the foreground ends in order when whoever reads its output leaves', async () => {
    const ports = await ownPorts();
    const args = [MAIN, 'up', '--name', 'one', '--nodes', '1', ...ports];
    const child = spawn(process.execPath, args, {
      env: { ...process.env, PODWIRE_HOME: home },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.stdout.destroy();
    await once(child, 'exit');
    expect(existsSync(join(home, 'one/supervisor.sock'))).toBe(false);
    const numbers = ports.filter((word) => /^\d+$/.test(word));
    expect(await Promise.all(numbers.map((port) => isFree(`http://127.0.0.1:${port}`)))).toEqual([true, true]);
  });
});
