import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ClusterFolder } from '../cluster-folder.ts';
import { askRunningSupervisor, askSupervisor } from './control-client.ts';
import { type ControlRequest, decodeControlRequest, type SupervisorStatus } from './control-protocol.ts';
import { ControlServer } from './control-server.ts';

let home: string;
let folder: ClusterFolder;
const servers: ControlServer[] = [];
const previousHome = process.env.PODWIRE_HOME;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'pw-'));
  process.env.PODWIRE_HOME = home;
  folder = new ClusterFolder('lab');
  folder.prepare();
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  process.env.PODWIRE_HOME = previousHome;
  rmSync(home, { recursive: true });
});

const status: SupervisorStatus = {
  cluster: 'lab',
  pid: 1,
  startedAtMs: 5,
  ready: true,
  natsUrl: 'nats://127.0.0.1:4222',
  natsToken: undefined,
  apiPort: 6443,
  kubeconfig: '/k',
  nodes: [{ name: 'worker-1', internalIp: '192.168.1.10', endpoint: '127.0.1.10:4789' }],
  processes: [],
};

function startServer(handler: (request: ControlRequest) => Promise<SupervisorStatus>): ControlServer {
  const server = new ControlServer(folder.controlSocket, handler);
  servers.push(server);
  return server;
}

describe('the control socket', () => {
  it('carries requests, answers and refusals, for its owner alone', async () => {
    const asked: ControlRequest[] = [];
    const server = startServer(async (request) => {
      asked.push(request);
      if (request.command === 'node') throw new Error('there is no such node');
      return status;
    });
    expect(await server.listen()).toBe(true);
    expect(statSync(folder.controlSocket).mode & 0o077).toBe(0);
    expect(await askSupervisor(folder, { command: 'status' })).toEqual(status);
    const kill = { command: 'node', action: 'kill', node: 'x' } as const;
    await expect(askSupervisor(folder, kill)).rejects.toThrow('there is no such node');
    expect(asked).toEqual([{ command: 'status' }, kill]);
  });

  it('belongs to one supervisor at a time', async () => {
    expect(await startServer(async () => status).listen()).toBe(true);
    expect(await startServer(async () => status).listen()).toBe(false);
  });

  it('tells that no cluster runs: without a socket, and with one that nobody listens on', async () => {
    await expect(askRunningSupervisor(folder, { command: 'status' })).rejects.toThrow(
      "no cluster 'lab' is running: start it with podwire up --name lab",
    );
    writeFileSync(folder.controlSocket, '');
    expect(await askSupervisor(folder, { command: 'status' })).toBeUndefined();
  });

  it('survives whatever is written to it', async () => {
    await startServer(async () => status).listen();
    for (const text of ['', 'nonsense\n', '{"command":"fly"}\n', 'x'.repeat(100_000)]) {
      await new Promise<void>((resolve) => {
        const socket = connect(folder.controlSocket, () => socket.end(text));
        socket.on('error', () => resolve()).on('close', () => resolve());
        socket.resume();
      });
    }
    expect(await askSupervisor(folder, { command: 'status' })).toEqual(status);
  });

  it('is in a short place where the state folder has a long name', () => {
    process.env.PODWIRE_HOME = join(home, 'x'.repeat(120));
    const long = new ClusterFolder('lab');
    expect(long.controlSocket.length).toBeLessThan(104);
    expect(long.controlSocket).not.toBe(new ClusterFolder('other').controlSocket);
  });
});

describe('decodeControlRequest', () => {
  it.each([
    null,
    'status',
    { command: 'x' },
    { command: 'node', action: 'burn', node: 'a' },
    { command: 'node', action: 'kill' },
  ])('refuses %o', (value) => {
    expect(decodeControlRequest(value)).toBeUndefined();
  });
});
