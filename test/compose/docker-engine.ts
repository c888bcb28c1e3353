/**
 * A Docker engine for the tests: the one that runs, or, on Debian as root, one of our own on a private socket and data
 * folder that is stopped and removed afterwards. Where neither can be had, the reason is the result.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { installDebianPackages } from '../debian-packages.ts';
import { type CommandResult, run } from '../e2e/run-command.ts';

export interface DockerEngine {
  /** Variables by which `docker` and `docker compose` find this engine. */
  readonly environment: Record<string, string>;
  /** `['docker', 'compose']` or `['docker-compose']`. */
  readonly compose: readonly string[];
  /** A folder for files of the test; removed with the engine. */
  readonly folder: string;
  docker(args: readonly string[], options?: { timeoutMs?: number; cwd?: string }): Promise<CommandResult>;
  stop(): Promise<void>;
}

export type EngineOutcome = { readonly engine: DockerEngine } | { readonly reason: string };

export async function findOrStartEngine(): Promise<EngineOutcome> {
  const running = await run('docker', ['info', '--format', '{{.ServerVersion}}'], { timeoutMs: 10_000 });
  if (running.code === 0 && running.stdout.trim() !== '') return describeEngine({}, async () => undefined);
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    return { reason: 'no Docker engine runs, and only root on Linux can start one' };
  }
  if (!existsSync('/etc/debian_version')) return { reason: 'no Docker engine runs, and this is not Debian' };
  const installed = await installEngine();
  return installed ?? startPrivateEngine();
}

async function installEngine(): Promise<{ reason: string } | undefined> {
  const present = await Promise.all(
    ['dockerd', 'iptables', 'debootstrap'].map(async (name) => (await run('which', [name])).code === 0),
  );
  if (present.every(Boolean) && (await composeCommand({})) !== undefined) return undefined;
  return installDebianPackages(['docker.io', 'docker-compose', 'iptables', 'debootstrap']);
}

async function startPrivateEngine(): Promise<EngineOutcome> {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-docker-'));
  const socket = join(folder, 'docker.sock');
  const logFile = openSync(join(folder, 'dockerd.log'), 'w');
  const daemon = spawn(
    'dockerd',
    [
      ...['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec')],
      ...['--host', `unix://${socket}`, '--pidfile', join(folder, 'pid')],
    ],
    { stdio: ['ignore', logFile, logFile] },
  );
  closeSync(logFile);
  const environment = { DOCKER_HOST: `unix://${socket}` };
  const stop = () => stopPrivateEngine(daemon, folder);
  if (!(await answers(daemon, environment))) {
    const log = readFileSync(join(folder, 'dockerd.log'), 'utf8').trim().split('\n').slice(-3).join(' | ');
    await stop();
    return { reason: `dockerd did not start: ${log}` };
  }
  return describeEngine(environment, stop, folder);
}

async function answers(daemon: ChildProcess, environment: Record<string, string>): Promise<boolean> {
  const giveUpAt = Date.now() + 30_000;
  while (daemon.exitCode === null && Date.now() < giveUpAt) {
    if ((await run('docker', ['info'], { env: environment, timeoutMs: 5_000 })).code === 0) return true;
    await delay(100);
  }
  return false;
}

async function stopPrivateEngine(daemon: ChildProcess, folder: string): Promise<void> {
  if (daemon.exitCode === null && daemon.signalCode === null) {
    daemon.kill('SIGTERM');
    await once(daemon, 'exit');
  }
  await run('umount', ['-R', join(folder, 'exec', 'netns', 'default')]);
  rmSync(folder, { recursive: true, force: true });
}

async function composeCommand(environment: Record<string, string>): Promise<readonly string[] | undefined> {
  if ((await run('docker', ['compose', 'version'], { env: environment })).code === 0) return ['docker', 'compose'];
  if ((await run('docker-compose', ['version'], { env: environment })).code === 0) return ['docker-compose'];
  return undefined;
}

async function describeEngine(
  environment: Record<string, string>,
  stop: () => Promise<void>,
  folder = mkdtempSync(join(tmpdir(), 'podwire-docker-')),
): Promise<EngineOutcome> {
  const compose = await composeCommand(environment);
  if (compose === undefined) {
    await stop();
    return { reason: 'a Docker engine runs, but neither `docker compose` nor `docker-compose` is installed' };
  }
  const engine: DockerEngine = {
    environment,
    compose,
    folder,
    docker: (args, options) => run('docker', args, { env: environment, ...options }),
    stop: async () => {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return { engine };
}
