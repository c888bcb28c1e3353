import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../shared/runtime/clock.ts';
import { lastWords } from './last-words.ts';
import type { ProcessSpec, ProcessStatus } from './process-slot.ts';
import { Supervisor } from './supervisor.ts';

const READY = "process.send({ type: 'ready', healthPort: 4711 });";
const LIVES = `process.on('disconnect', () => process.exit(1)); setInterval(() => undefined, 1000); ${READY}`;

let folder: string;
let supervisor: Supervisor;
const changes: string[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-supervisor-'));
  changes.length = 0;
});
afterEach(async () => {
  await supervisor?.stop();
  rmSync(folder, { recursive: true });
});

function nodeProgram(name: string, source: string, whenItEnds: ProcessSpec['whenItEnds'] = 'restart'): ProcessSpec {
  const program = join(folder, `${name}.mjs`);
  writeFileSync(program, source);
  const logFile = join(folder, `${name}.log`);
  return { name, kind: 'node', program, arguments: [], environment: process.env, logFile, whenItEnds };
}

function foreignProgram(name: string): ProcessSpec {
  const logFile = join(folder, `${name}.log`);
  return {
    name,
    kind: 'foreign',
    program: 'sleep',
    arguments: ['1000'],
    environment: process.env,
    logFile,
    whenItEnds: 'restart',
  };
}

function supervise(...specs: ProcessSpec[]): void {
  supervisor = new Supervisor(specs, systemClock, { changed: ({ name, state }) => changes.push(`${name} ${state}`) });
  supervisor.start();
}

function statusOf(name: string): ProcessStatus {
  const status = supervisor.processes.find((process) => process.name === name);
  if (status === undefined) throw new Error(`no process ${name}`);
  return status;
}

function pidOf(name: string): number {
  return statusOf(name).pid ?? 0;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Polls; the test's own time limit ends it. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolvePause) => setTimeout(resolvePause, 5));
}

describe('Supervisor', () => {
  it('starts processes and hears when they are ready', async () => {
    supervise(nodeProgram('apiserver', LIVES), foreignProgram('nats-server'));
    await until(() => statusOf('apiserver').state === 'running');
    expect(statusOf('apiserver')).toMatchObject({ healthPort: 4711, restarts: 0 });
    expect(statusOf('nats-server').state).toBe('running');
  });

  it('starts what was killed again, a foreign program too', async () => {
    supervise(nodeProgram('apiserver', LIVES), foreignProgram('nats-server'));
    await until(() => statusOf('apiserver').state === 'running');
    const before = [pidOf('apiserver'), pidOf('nats-server')];
    for (const pid of before) process.kill(pid, 'SIGKILL');
    await until(() => statusOf('apiserver').restarts === 1 && statusOf('nats-server').restarts === 1);
    await until(() => statusOf('apiserver').state === 'running');
    expect(statusOf('apiserver').lastEnd).toBe('SIGKILL');
    expect([pidOf('apiserver'), pidOf('nats-server')].filter((pid) => before.includes(pid))).toEqual([]);
  });

  it('waits longer and longer for what keeps ending, and has its last words', async () => {
    const spec = nodeProgram(
      'scheduler',
      "console.log(JSON.stringify({ error: { message: 'no luck' } })); process.exit(3);",
    );
    supervise(spec);
    const startedMs = performance.now();
    await until(() => statusOf('scheduler').quickEnds >= 3);
    // 100 ms after the first end, 200 ms after the second.
    expect(performance.now() - startedMs).toBeGreaterThan(300);
    expect(statusOf('scheduler').lastEnd).toBe('exit code 3');
    expect(lastWords(spec.logFile)).toBe('no luck');
  });

  it('leaves a node that fails down until it is started', async () => {
    supervise(nodeProgram('worker-1', LIVES, 'stay-dead'));
    await until(() => statusOf('worker-1').state === 'running');
    await supervisor.actOnNode('kill', 'worker-1');
    expect(statusOf('worker-1')).toMatchObject({ state: 'dead', pid: undefined, lastEnd: 'SIGKILL' });
    await expect(supervisor.actOnNode('kill', 'worker-1')).rejects.toThrow('node worker-1 is not running');
    await supervisor.actOnNode('start', 'worker-1');
    await until(() => statusOf('worker-1').state === 'running');
    await expect(supervisor.actOnNode('start', 'worker-1')).rejects.toThrow('running already');
    await supervisor.actOnNode('stop', 'worker-1');
    expect(statusOf('worker-1').state).toBe('stopped');
    await expect(supervisor.actOnNode('kill', 'worker-7')).rejects.toThrow(
      "no node 'worker-7': the nodes are worker-1",
    );
    await expect(supervisor.actOnNode('kill', 'apiserver')).rejects.toThrow('no node');
  });

  it('ends all in order, nodes first, NATS last', async () => {
    supervise(
      foreignProgram('nats-server'),
      nodeProgram('apiserver', LIVES),
      nodeProgram('worker-1', LIVES, 'stay-dead'),
    );
    await until(() => supervisor.processes.every(({ state }) => state === 'running'));
    const pids = supervisor.processes.map(({ pid }) => pid ?? 0);
    changes.length = 0;
    await supervisor.stop();
    expect(changes).toEqual(['worker-1 stopped', 'apiserver stopped', 'nats-server stopped']);
    expect(pids.filter(isAlive)).toEqual([]);
  });

  it('leaves nothing behind when it is killed itself', async () => {
    const pidFile = join(folder, 'pids');
    const specs = [nodeProgram('apiserver', LIVES), foreignProgram('nats-server')];
    const here = resolve(import.meta.dirname);
    writeFileSync(
      join(folder, 'main.mjs'),
      `import { writeFileSync } from 'node:fs';
       import { systemClock } from ${JSON.stringify(resolve(here, '../../shared/runtime/clock.ts'))};
       import { Supervisor } from ${JSON.stringify(join(here, 'supervisor.ts'))};
       const supervisor = new Supervisor(${JSON.stringify(specs)}, systemClock, { changed() {
         const { processes } = supervisor;
         if (processes.every(({ state }) => state === 'running')) {
           writeFileSync(${JSON.stringify(pidFile)}, JSON.stringify(processes.map(({ pid }) => pid)));
         }
       } });
       supervisor.start();`,
    );
    const main = spawn(process.execPath, [join(folder, 'main.mjs')], { stdio: 'inherit' });
    await until(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8').endsWith(']'));
    const pids: number[] = JSON.parse(readFileSync(pidFile, 'utf8'));
    expect(pids.filter(isAlive)).toHaveLength(2);
    main.kill('SIGKILL');
    await once(main, 'exit');
    await until(() => pids.filter(isAlive).length === 0);
    expect(pids.filter(isAlive)).toEqual([]);
  });
});
