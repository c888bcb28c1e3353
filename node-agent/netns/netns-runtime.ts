/**
 * Containers whose program is one of the machine, in the pod's network namespace. Every container has mount, PID, UTS and IPC
 * namespaces of its own; its program is process 1 there, with what follows from that: SIGTERM reaches it only where it has a
 * handler, and with it ends all that it started. Everything ends with the node-agent, however that ends (PR_SET_PDEATHSIG).
 */
import { readFileSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import {
  CommandStartError,
  type ContainerEnd,
  type ContainerInstance,
  type ContainerLaunch,
  type ContainerRuntime,
  DEFAULT_TERMINAL,
  type ProcessStreams,
} from '../pods/container-runtime.ts';
import { type Bind, containerArguments, execArguments, type ProgramStart } from './container-script.ts';
import { machineFolders } from './machine-folders.ts';
import { type ProgramProcess, startProgram } from './program-process.ts';
import type { VolumeFolders } from './volume-folders.ts';

export interface NetnsPod {
  /** `/run/netns/NAME` */
  readonly namespacePath: string;
  /** Of this pod alone; removed with it. */
  readonly folder: string;
  readonly volumes: VolumeFolders;
}

const DEFAULT_SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const END_WITH_PARENT = ['setpriv', '--pdeathsig', 'KILL'];
const NEW_NAMESPACES = ['unshare', '--mount', '--uts', '--ipc', '--pid', '--fork', '--kill-child'];

/** Of one pod. */
export class NetnsRuntime implements ContainerRuntime {
  private readonly pod: NetnsPod;

  constructor(pod: NetnsPod) {
    this.pod = pod;
  }

  /** The image is a label: the programs are the machine's. */
  has(): boolean {
    return true;
  }

  imageNames(): readonly string[] {
    return [];
  }

  async start(launch: ContainerLaunch): Promise<ContainerInstance> {
    const command = [...(launch.command ?? []), ...(launch.args ?? [])];
    const [name] = command;
    if (name === undefined) {
      throw new CommandStartError(
        `no command specified: a pod of the RuntimeClass netns runs a program of this machine, and container ${launch.containerName} names none in "command"`,
      );
    }
    const folder = join(this.pod.folder, 'containers', launch.id.slice(0, 12));
    const base = join(folder, 'root');
    await mkdir(base, { recursive: true });
    const lastWords = join(folder, 'termination-log');
    await writeFile(lastWords, '');
    const start = programStart(launch, command, launch.tty);
    const binds = await this.binds(launch, lastWords);
    const output = new ContainerOutput(launch);
    const program = await startProgram({
      command: [
        ...END_WITH_PARENT,
        'nsenter',
        `--net=${this.pod.namespacePath}`,
        ...NEW_NAMESPACES,
        '/bin/sh',
        ...containerArguments({ base, hostname: launch.sandbox.hostname, binds }, start),
      ],
      environment: environmentOf(launch, launch.tty),
      stdin: launch.stdin,
      terminal: launch.tty ? DEFAULT_TERMINAL : undefined,
      makesNamespace: true,
      name,
      stdout: output.writable('stdout'),
      stderr: output.writable('stderr'),
    });
    return new NetnsContainer({ launch, program, output, lastWords });
  }

  private async binds(launch: ContainerLaunch, lastWords: string): Promise<Bind[]> {
    const { folder, volumes } = this.pod;
    const files = ['hosts', 'resolv.conf', 'hostname'];
    const mounts: Bind[] = [];
    for (const { volume, subPath, path, readOnly } of launch.mounts) {
      const source = join(await volumes.folderOf(volume), subPath);
      if (subPath !== '' && statSync(source, { throwIfNoEntry: false }) === undefined) {
        await mkdir(source, { recursive: true });
      }
      mounts.push({ source, target: path, readOnly });
    }
    return [
      ...machineFolders((path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false),
      ...files.map((file) => ({ source: join(folder, 'etc', file), target: `/etc/${file}`, readOnly: false })),
      { source: lastWords, target: launch.terminationMessagePath, readOnly: false },
      ...mounts,
    ];
  }
}

function programStart(launch: ContainerLaunch, command: readonly string[], terminal: boolean): ProgramStart {
  return {
    workingDirectory: launch.workingDirectory ?? '/',
    searchPath: launch.environment.PATH ?? DEFAULT_SEARCH_PATH,
    terminal,
    command,
  };
}

function environmentOf(launch: ContainerLaunch, terminal: boolean): Record<string, string> {
  const terminalType: Record<string, string> = terminal ? { TERM: 'xterm' } : {};
  return { HOME: '/root', HOSTNAME: launch.sandbox.hostname, ...terminalType, ...launch.environment };
}

/** Where a container's output goes: its log, and who is attached. */
class ContainerOutput {
  readonly watchers = new Set<ProcessStreams>();
  private readonly launch: ContainerLaunch;

  constructor(launch: ContainerLaunch) {
    this.launch = launch;
  }

  writable(stream: 'stdout' | 'stderr'): Writable {
    return new Writable({
      write: (data: Uint8Array, _encoding, done) => {
        this.launch.onOutput(stream, data);
        for (const watcher of this.watchers) watcher[stream].write(data);
        done();
      },
    });
  }
}

interface NetnsContainerParts {
  readonly launch: ContainerLaunch;
  readonly program: ProgramProcess;
  readonly output: ContainerOutput;
  readonly lastWords: string;
}

class NetnsContainer implements ContainerInstance {
  readonly pid: number;
  readonly ended: Promise<ContainerEnd>;
  private readonly parts: NetnsContainerParts;

  constructor(parts: NetnsContainerParts) {
    this.parts = parts;
    this.pid = parts.program.pid;
    this.ended = parts.program.ended;
  }

  signal(name: 'SIGTERM' | 'SIGKILL'): void {
    this.parts.program.kill(name);
  }

  async exec(command: readonly string[], streams: ProcessStreams, signal: AbortSignal): Promise<number> {
    const { launch } = this.parts;
    if (this.parts.program.over) throw new CommandStartError('container not running');
    const terminal = streams.terminal !== undefined;
    const program = await startProgram({
      command: [
        ...END_WITH_PARENT,
        'nsenter',
        `--target=${this.pid}`,
        ...['--mount', '--uts', '--ipc', '--net', '--pid', '--root'],
        '/bin/sh',
        ...execArguments(programStart(launch, command, terminal)),
      ],
      environment: environmentOf(launch, terminal),
      stdin: streams.stdin !== undefined,
      terminal: streams.terminal?.size,
      makesNamespace: false,
      name: command[0] ?? '',
      stdout: streams.stdout,
      stderr: streams.stderr,
    });
    followWindow(program, streams);
    feed(program, streams);
    const stop = (): void => program.hangUp();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const { exitCode } = await program.ended;
    signal.removeEventListener('abort', stop);
    return exitCode;
  }

  async attach(streams: ProcessStreams, signal: AbortSignal): Promise<void> {
    const { program, output, launch } = this.parts;
    output.watchers.add(streams);
    followWindow(program, streams);
    const { stdin } = program;
    if (stdin !== undefined) streams.stdin?.pipe(stdin, { end: launch.stdinOnce });
    const left = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([this.ended, left]);
    if (stdin !== undefined) streams.stdin?.unpipe(stdin);
    output.watchers.delete(streams);
  }

  terminationMessage(path: string): string {
    const { launch, lastWords } = this.parts;
    return path === launch.terminationMessagePath ? readFileSync(lastWords, 'utf8') : '';
  }
}

/** From the size on that was told last, which may have come while the program was started. */
function followWindow(program: ProgramProcess, { terminal }: ProcessStreams): void {
  if (terminal === undefined) return;
  program.resize(terminal.size);
  terminal.onResize((size) => program.resize(size));
}

/** A program may end before it has read all: what is left goes nowhere. */
function feed({ stdin }: ProgramProcess, streams: ProcessStreams): void {
  if (stdin === undefined || streams.stdin === undefined) return;
  stdin.on('error', () => stdin.destroy());
  streams.stdin.pipe(stdin, { end: streams.terminal === undefined });
}
