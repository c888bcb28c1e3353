/** What can go wrong beside a running cluster: each mistake gets one clear sentence and a non-zero exit, and harms nothing. */
import { once } from 'node:events';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemErrorCode } from '../../cli/user-error.ts';
import { ownPorts } from '../e2e/own-ports.ts';
import { waitFor } from '../wait-for.ts';
import { type ChaosCluster, ClusterHome, isAlive, type ProcessRow } from './chaos-cluster.ts';

const home = new ClusterHome();
let cluster: ChaosCluster;
let before: ProcessRow[];
const foreign: Server[] = [];

beforeAll(async () => {
  cluster = await home.up('one', '--nodes', '1', ...(await ownPorts()));
  await cluster.healed();
  before = await cluster.ownProcesses();
});
afterEach(() => {
  for (const server of foreign.splice(0)) server.close();
});
afterAll(async () => {
  await home.remove();
});

async function occupy(port: number): Promise<void> {
  const server = createServer((socket) => socket.destroy());
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  foreign.push(server);
}

/** One line that begins with the command's name. */
async function expectRefused(args: readonly string[], words: string, environment = {}): Promise<void> {
  const { code, stdout, stderr } = await home.podwire(args, environment);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^podwire: [^\n]+\n$/);
  expect(stderr).toContain(words);
}

describe('beside a running cluster', () => {
  afterEach(async () => {
    expect(await cluster.ownProcesses()).toEqual(before);
  });

  it.each([[['up', '--name', 'one']], [['up', '--name', 'one', '--detach']], [['up', '--name', 'one', '--fresh']]])(
    'podwire %j says that it runs already',
    async (args) => {
      await expectRefused(args, "cluster 'one' is running already: use it, stop it with podwire down");
    },
  );

  it('a second start leaves the log of the one that runs alone', async () => {
    const log = join(home.path, 'one/logs/supervisor.log');
    const { ino } = statSync(log);
    await expectRefused(['up', '--name', 'one', '--detach'], "cluster 'one' is running already");
    expect(statSync(log).ino).toBe(ino);
  });

  it.each([
    ['--api-port', 0, 'the API'],
    ['--nats-port', 1, 'NATS'],
  ])('another cluster cannot have its port: %s', async (option, index, what) => {
    const port = String(cluster.ports[index]);
    await expectRefused(['up', '--name', 'two', option, port], `port ${port} for ${what} is taken by another process`);
  });

  it('another cluster cannot have the port of a foreign process', async () => {
    const server = createServer((socket) => socket.destroy());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    foreign.push(server);
    const address = server.address();
    const port = typeof address === 'object' ? String(address?.port) : '';
    await expectRefused(['up', '--name', 'two', '--nats-port', port], `port ${port} for NATS is taken`);
    await expectRefused(['up', '--name', 'two'], 'no NATS server answered at', {
      NATS_URL: `nats://127.0.0.1:${port}`,
    });
  });

  it.each([
    [['node', 'kill', 'worker-9'], "there is no node 'worker-9': the nodes are worker-1"],
    [['node', 'start', 'worker-9'], "there is no node 'worker-9': the nodes are worker-1"],
    [['node', 'stop', 'apiserver'], "there is no node 'apiserver': the nodes are worker-1"],
    [['node', 'start', 'worker-1'], 'node worker-1 is running already'],
    [['node', 'exec', 'worker-9', '--', 'ip', 'route'], "there is no node 'worker-9'"],
  ])('podwire %j', async (args, words) => {
    const [verb = '', action = '', node = '', ...rest] = args;
    await expectRefused([verb, action, node, '--name', 'one', ...rest], words);
  });

  it('a state folder that cannot be written', async () => {
    const file = join(home.path, 'file');
    writeFileSync(file, '');
    await expectRefused(['up', '--name', 'two'], `the state folder ${file}/two cannot be written`, {
      PODWIRE_HOME: file,
    });
  });

  it('settings that are damaged', async () => {
    mkdirSync(join(home.path, 'damaged'));
    writeFileSync(join(home.path, 'damaged/cluster.json'), '{"nodes": ');
    await expectRefused(['up', '--name', 'damaged'], join(home.path, 'damaged/cluster.json'));
  });
});

describe('a foreign process', () => {
  it("on the API's port while the apiserver is away: it is told, nothing else suffers, and all is well when it leaves", async () => {
    const [apiPort = 0] = cluster.ports;
    await waitFor('the port', async () => {
      const pid = await cluster.kill('apiserver');
      await waitFor('its end', () => !isAlive(pid));
      return hasOccupied(apiPort);
    });
    const waiting = await waitFor('the apiserver to have failed', async () => {
      const row = (await cluster.ownProcesses()).find(({ name }) => name === 'apiserver');
      return row !== undefined && row.restarts > 1 && row.state === 'waiting' ? row : undefined;
    });
    expect(waiting.pid).toBeUndefined();
    const logs = await cluster.podwire('logs', 'apiserver');
    expect(logs.stdout).toMatch(/EADDRINUSE|address already in use|is taken/);
    for (const server of foreign.splice(0)) server.close();
    await cluster.healed();
    // Scheduler and controllers may have ended meanwhile: who cannot renew its Lease is no longer the leader.
    const untouched = (rows: ProcessRow[]): ProcessRow[] =>
      rows.filter(({ name }) => ['supervisor', 'nats-server', 'worker-1'].includes(name));
    expect(untouched(await cluster.ownProcesses())).toEqual(untouched(before));
  });

  it('on the ports of a stopped cluster: it gets others when it is started again', async () => {
    const [apiPort = 0, natsPort = 0] = cluster.ports;
    await cluster.down();
    expect(await cluster.leftovers()).toEqual([]);
    await occupy(apiPort);
    await occupy(natsPort);
    const again = await home.up('one');
    await again.healed();
    expect(again.ports).not.toContain(apiPort);
    expect(again.ports).not.toContain(natsPort);
    await again.down();
  });
});

/** False when somebody else was faster. */
async function hasOccupied(port: number): Promise<boolean> {
  try {
    await occupy(port);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'EADDRINUSE') return false;
    throw error;
  }
}
