/** `node`: the container's command becomes a process of the machine whose network, files and name are the pod's. */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Program, ProgramContext } from '../image.ts';
import { type ExitStatus, SIGNAL_NUMBERS, type SignalName } from '../process.ts';
import { BrokenPipeError, chunks, nextChunk, write } from '../program-io.ts';
import { isolation } from './isolation.ts';
import { machineSideOf } from './machine-side.ts';
import { nodeOptions } from './program-plan.ts';

/** SIGUSR1 would open Node's inspector, on the machine. */
const PASSED_ON: readonly SignalName[] = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGCONT', 'SIGWINCH'];

export const nodeProgram: Program = async (context) => {
  const { container, env, argv, cwd } = context;
  const refused = [...argv.slice(1), ...(env.NODE_OPTIONS ?? '').split(/\s+/)].find((word) => /^--inspect/.test(word));
  if (refused !== undefined) {
    await write(context.stderr, `node: ${refused}: the inspector would listen on the machine, not in the pod\n`);
    return 9;
  }
  const side = await machineSideOf(container, container.machineFolder ?? temporaryFolder(container.podName));
  const stopFollowing = await side.follow();
  const preloadPath = await side.openFor(context.process);
  if (context.signal.aborted) return 0;
  const { prefix } = await isolation();
  const [file = process.execPath, ...args] = [...prefix, process.execPath, ...argv.slice(1)];
  const child = spawn(file, args, {
    cwd: side.realPath(cwd),
    env: { ...env, PATH: MACHINE_PATH, NODE_OPTIONS: nodeOptions(preloadPath, env.NODE_OPTIONS) },
    stdio: 'pipe',
  });
  const { machineProcesses } = container;
  if (child.pid !== undefined) machineProcesses.add(child.pid);
  const status = await runToEnd(child, context).finally(() => machineProcesses.delete(child.pid ?? 0));
  await stopFollowing();
  // Before this program returns, so that the signal is told too.
  if (status.signal !== undefined) context.process.exit(status);
  return status.code;
};

const MACHINE_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

let temporaryFolders = 0;

/** Of containers that nobody gave a folder. */
function temporaryFolder(podName: string): string {
  temporaryFolders += 1;
  return join(tmpdir(), `podwire-node-${process.pid}`, `${podName}-${temporaryFolders}`);
}

async function runToEnd(child: ChildProcess, context: ProgramContext): Promise<ExitStatus> {
  for (const name of PASSED_ON) context.process.onSignal(name, () => child.kill(name));
  const kill = (): void => void child.kill('SIGKILL');
  context.signal.addEventListener('abort', kill, { once: true });
  const over = new AbortController();
  const ended = new Promise<ExitStatus>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(exitStatus(code, signal)));
  });
  const output = Promise.all([copy(child, 'stdout', context), copy(child, 'stderr', context)]);
  void feed(child, context, over.signal);
  try {
    const status = await ended;
    await output;
    return status;
  } finally {
    over.abort();
    context.signal.removeEventListener('abort', kill);
  }
}

function exitStatus(code: number | null, signal: NodeJS.Signals | null): ExitStatus {
  if (signal === null) return { code: code ?? 0 };
  const known = signal in SIGNAL_NUMBERS ? (signal as SignalName) : undefined;
  return { code: 128 + constants.signals[signal], signal: known };
}

/** Whoever reads may have left: the program meets a closed pipe then, as with any. */
async function copy(child: ChildProcess, stream: 'stdout' | 'stderr', context: ProgramContext): Promise<void> {
  const source = child[stream];
  if (source === null) return;
  try {
    for await (const chunk of chunks(source)) await write(context[stream], chunk);
  } catch (error) {
    if (!(error instanceof BrokenPipeError)) throw error;
    source.destroy();
  }
}

async function feed({ stdin }: ChildProcess, context: ProgramContext, over: AbortSignal): Promise<void> {
  if (stdin === null) return;
  // A program that has closed its input, or is gone, reads no more.
  stdin.on('error', () => stdin.destroy());
  for (;;) {
    const chunk = await nextChunk(context.stdin, over);
    if (chunk === undefined || stdin.destroyed) break;
    if (!stdin.write(chunk)) await new Promise((resolve) => stdin.once('drain', resolve).once('close', resolve));
  }
  stdin.end();
}
