/**
 * What a program may start: Node, which starts as this process did. There is no other program in its container, and the
 * machine's own would see the machine's network.
 */
import { ChildProcess } from 'node:child_process';
import { basename } from 'node:path';
import worker, { type WorkerOptions } from 'node:worker_threads';
import { nodeOptions, type ProgramPlan } from '../program-plan.ts';
import { binding, errorNumber } from './bindings.ts';
import type { FilePaths } from './file-paths.ts';

interface SpawnOptions {
  file?: string;
  args?: string[];
  cwd?: string;
  envPairs?: string[];
}

/** Starting it fails with ENOENT, in Node's own way and at its own time. */
const NO_PROGRAM = '/proc/self/no-such-program';

const complainedOf = new Set<string>();

export function installChildProcesses(plan: ProgramPlan, paths: FilePaths): void {
  const asynchronous = ChildProcess.prototype as unknown as { spawnfile: string; spawn(options: SpawnOptions): number };
  const { spawn } = asynchronous;
  asynchronous.spawn = function spawnNode(options) {
    const prepared = prepare(options, plan, paths);
    if (prepared !== undefined) return spawn.call(this, prepared);
    const outcome = spawn.call(this, { ...options, file: NO_PROGRAM });
    this.spawnfile = options.file ?? '';
    return outcome;
  };
  const sync = binding('spawn_sync');
  const spawnSync = sync.spawn;
  sync.spawn = (options) => {
    const prepared = prepare(options as SpawnOptions, plan, paths);
    if (prepared !== undefined) return spawnSync(prepared);
    return { error: errorNumber('ENOENT'), status: null, signal: null, output: null, pid: 0 };
  };
  worker.Worker = workerWithPod(plan, paths);
}

/** The options for Node itself; undefined for any other program. */
function prepare(options: SpawnOptions, plan: ProgramPlan, paths: FilePaths): SpawnOptions | undefined {
  const { file = '', cwd } = options;
  if (file !== process.execPath && basename(file) !== 'node') {
    complain(file);
    return undefined;
  }
  const pairs = (options.envPairs ?? []).filter((pair) => !pair.startsWith('NODE_OPTIONS='));
  const theirs = options.envPairs?.find((pair) => pair.startsWith('NODE_OPTIONS='))?.slice('NODE_OPTIONS='.length);
  return Object.assign(options, {
    file: process.execPath,
    cwd: cwd === undefined ? undefined : paths.toReal(cwd),
    envPairs: [...pairs, `NODE_OPTIONS=${nodeOptions(plan.preloadPath, theirs)}`],
  });
}

function complain(file: string): void {
  const name = basename(file);
  if (complainedOf.has(name)) return;
  complainedOf.add(name);
  process.stderr.write(
    `podwire: ${name} cannot be started: a container of the image node has no program but node itself\n`,
  );
}

function workerWithPod(plan: ProgramPlan, paths: FilePaths): typeof worker.Worker {
  return class Worker extends worker.Worker {
    constructor(file: string | URL, options: WorkerOptions = {}) {
      const execArgv =
        options.execArgv === undefined ? undefined : ['--require', plan.preloadPath, ...options.execArgv];
      const code = options.eval === true || (file instanceof URL && file.protocol !== 'file:');
      const mapped = code ? file : (paths.mapped(file) as string);
      super(mapped, execArgv === undefined ? options : { ...options, execArgv });
    }
  };
}
