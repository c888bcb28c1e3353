/**
 * A nats-server of one test: on a loopback port of its own, with a token and JetStream in a folder that goes with it.
 * `kill` and `start` again give a crash and its recovery on the same port and store.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TestNatsServer {
  readonly url: string;
  readonly token: string;
  readonly port: number;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again after `kill`; resolves when it takes connections. */
  start(): Promise<void>;
  /** After `kill`: forgets all that JetStream stored. */
  wipe(): void;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

export async function startNatsServer(): Promise<TestNatsServer> {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-nats-'));
  const token = randomBytes(12).toString('hex');
  const port = await freePort();
  const store = join(folder, 'store');
  const configFile = join(folder, 'nats.conf');
  writeFileSync(
    configFile,
    [
      'host: "127.0.0.1"',
      `port: ${port}`,
      'max_payload: 8MB',
      `jetstream { store_dir: ${JSON.stringify(store)} }`,
      `authorization { token: "${token}" }`,
    ].join('\n'),
    { mode: 0o600 },
  );
  let child: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    child = spawn('nats-server', ['-c', configFile], { stdio: 'ignore' });
    await once(child, 'spawn');
    await waitForPort(port, child);
  };
  const kill = async (): Promise<void> => {
    if (child === undefined) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    child = undefined;
  };
  await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    token,
    port,
    start,
    kill,
    wipe: () => rmSync(store, { recursive: true, force: true }),
    stop: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A loopback port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function waitForPort(port: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null && child.signalCode === null) {
    if (await accepts(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`nats-server exited with ${child.exitCode ?? child.signalCode}`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
