/** Runs containers of emulated images: start, exec, attach, signals. The kubelet's side is `pods/container-runtime.ts`. */
import { join } from 'node:path';
import { PassThrough, type Readable, Writable } from 'node:stream';
import type { PodNetwork } from '../../shared/podnet/pod-network.ts';
import { Container, DEFAULT_PATH } from './container.ts';
import { MAX_SYMLINKS, resolvePath } from './files/container-files.ts';
import { DirectoryNode, type FileTreeNode } from './files/file-node.ts';
import { buildLayer } from './files/layer.ts';
import { emptyVolume, type Volume } from './files/volume.ts';
import type { ContainerView, Image, KernelView } from './image.ts';
import { emptyReadable, OpenFile, readerFile, writerFile } from './open-file.ts';
import { type Process, type ProcessTable, SIGNAL_NUMBERS, type SignalName } from './process.ts';
import { nextChunk } from './program-io.ts';
import { TerminalSession } from './terminal.ts';

export interface VolumeMount {
  /** Absolute path in the container. */
  readonly path: string;
  readonly volume: Volume;
  /** A folder or file within the volume; empty for all of it. */
  readonly subPath?: string;
  readonly readOnly?: boolean;
}

export interface StartOptions {
  readonly image: Image;
  /** Replaces the image's ENTRYPOINT, and its CMD with it. */
  readonly command?: readonly string[];
  /** Replaces the image's CMD. */
  readonly args?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
  readonly podName: string;
  readonly namespace: string;
  readonly hostname: string;
  readonly containerName: string;
  readonly nodeName: string;
  readonly network: PodNetwork;
  readonly kernel?: KernelView;
  /** Of the PID namespace that it joins; otherwise it has one of its own. */
  readonly processes?: ProcessTable;
  /** For what its programs keep on the machine; removed with the container. */
  readonly machineFolder?: string;
  /** Text of /etc/hosts. */
  readonly etcHosts: string;
  /** Text of /etc/resolv.conf. */
  readonly resolvConf: string;
  readonly mounts?: readonly VolumeMount[];
  readonly stdin?: boolean;
  /** The first attached client's end of input is the program's. */
  readonly stdinOnce?: boolean;
  readonly tty?: boolean;
  /** Output as it is written, for the log. */
  readonly onOutput: (stream: 'stdout' | 'stderr', data: Uint8Array) => void;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** The other ends of a process' standard streams. */
export interface ClientStreams {
  readonly stdin?: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Present with a terminal; everything goes to `stdout` then. */
  readonly terminal?: { readonly size: TerminalSize; onResize(listener: (size: TerminalSize) => void): void };
}

export interface ContainerEnd {
  readonly exitCode: number;
  /** Number of the signal that ended it. */
  readonly signal?: number;
}

export interface RunningContainer {
  readonly view: ContainerView;
  readonly ended: Promise<ContainerEnd>;
  /** Any signal, to the container's first process; SIGKILL ends all of them. */
  signal(name: SignalName): void;
  /** Runs a command beside the main one and resolves with its exit code; rejects with `CommandNotStartedError`. */
  exec(command: readonly string[], streams: ClientStreams, signal?: AbortSignal): Promise<number>;
  /** Joins the main process' streams until it ends or `signal` is aborted. */
  attach(streams: ClientStreams, signal?: AbortSignal): Promise<void>;
}

/** The words of a real runtime, which tools look for: `exec: "foo": executable file not found in $PATH`. */
export class CommandNotStartedError extends Error {
  override readonly name = 'CommandNotStartedError';
}

/** Starts the container's command; throws `CommandNotStartedError` when it does not exist in the image. */
export function startContainer(options: StartOptions): RunningContainer {
  return new ContainerRun(options);
}

const layers = new WeakMap<Image, DirectoryNode>();

function layerOf(image: Image): DirectoryNode {
  let layer = layers.get(image);
  if (layer === undefined) {
    layer = buildLayer({ files: image.files ?? {}, programs: Object.keys(image.programs) });
    layers.set(image, layer);
  }
  return layer;
}

class ContainerRun implements RunningContainer {
  readonly view: Container;
  readonly ended: Promise<ContainerEnd>;
  private readonly options: StartOptions;
  private readonly environment: Readonly<Record<string, string>>;
  private readonly workingDirectory: string;
  private readonly watchers = new Set<{ stdout: Writable; stderr: Writable }>();
  private readonly main: Process;
  private readonly input: PassThrough | undefined;
  private terminal: TerminalSession | undefined;

  constructor(options: StartOptions) {
    this.options = options;
    const { image } = options;
    this.environment = {
      PATH: DEFAULT_PATH,
      HOSTNAME: options.hostname,
      HOME: '/root',
      ...image.environment,
      ...options.environment,
    };
    this.workingDirectory = options.workingDirectory ?? image.workingDirectory ?? '/';
    this.view = new Container({
      ...options,
      machineFolders: (options.mounts ?? []).flatMap(({ path, volume, subPath = '' }) =>
        volume.machineFolder === undefined
          ? []
          : [{ path: resolvePath('/', path), real: join(volume.machineFolder, subPath) }],
      ),
      layer: layerOf(image),
      programs: image.programs,
      logWriter: (stream) => this.logWriter(stream),
    });
    for (const mount of options.mounts ?? []) this.mount(mount);
    this.view.files.mkdir(this.workingDirectory, { recursive: true });
    this.input = options.stdin ? new PassThrough() : undefined;
    this.main = this.startMain();
    this.ended = this.main.exited.then(({ code, signal }) => {
      this.view.processes.signalAll('SIGKILL');
      return { exitCode: code, signal: signal === undefined ? undefined : SIGNAL_NUMBERS[signal] };
    });
  }

  signal(name: SignalName): void {
    this.main.deliver(name);
  }

  async exec(command: readonly string[], streams: ClientStreams, signal?: AbortSignal): Promise<number> {
    if (this.main.exitStatus !== undefined) throw new CommandNotStartedError('container not running');
    const terminal = streams.terminal === undefined ? undefined : this.openTerminal(streams.terminal, streams.stdout);
    const files = terminal === undefined ? plainFiles(streams) : terminalFiles(terminal);
    const environment = terminal === undefined ? this.environment : { TERM: 'xterm', ...this.environment };
    const process = this.launch(command, environment, files, terminal);
    const hungUp = (): void => terminal?.hangUp();
    signal?.addEventListener('abort', hungUp, { once: true });
    const stop = new AbortController();
    if (terminal !== undefined && streams.stdin !== undefined) void feed(streams.stdin, terminal, stop.signal);
    const { code } = await process.exited;
    stop.abort();
    signal?.removeEventListener('abort', hungUp);
    return code;
  }

  async attach(streams: ClientStreams, signal?: AbortSignal): Promise<void> {
    const watcher = {
      stdout: streams.stdout,
      stderr: streams.terminal === undefined ? streams.stderr : streams.stdout,
    };
    this.watchers.add(watcher);
    const stop = new AbortController();
    const stopped = new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }));
    if (streams.stdin !== undefined) void this.takeInput(streams.stdin, stop.signal);
    if (this.terminal !== undefined && streams.terminal !== undefined) {
      const { terminal } = this;
      terminal.resize(streams.terminal.size.columns, streams.terminal.size.rows);
      streams.terminal.onResize(({ columns, rows }) => terminal.resize(columns, rows));
    }
    await Promise.race([this.ended, stopped]);
    stop.abort();
    this.watchers.delete(watcher);
  }

  private startMain(): Process {
    const { image, command, args, tty } = this.options;
    const words = commandLine(image, command, args);
    if (tty) {
      this.terminal = new TerminalSession({ screen: this.logWriter('stdout'), processes: this.view.processes });
      return this.launch(words, { TERM: 'xterm', ...this.environment }, terminalFiles(this.terminal), this.terminal);
    }
    const files = {
      stdin: readerFile(this.input ?? emptyReadable()),
      stdout: writerFile(this.logWriter('stdout')),
      stderr: writerFile(this.logWriter('stderr')),
    };
    return this.launch(words, this.environment, files, undefined);
  }

  private launch(
    command: readonly string[],
    env: Readonly<Record<string, string>>,
    files: { stdin: OpenFile; stdout: OpenFile; stderr: OpenFile },
    terminal: TerminalSession | undefined,
  ): Process {
    const name = command[0] ?? '';
    const cwd = this.workingDirectory;
    const executable = this.view.findExecutable(name, env.PATH, cwd);
    if (executable.kind !== 'found') throw new CommandNotStartedError(startFailure(name, executable.kind));
    const process = this.view.launch({
      path: executable.path,
      argv: command,
      env,
      cwd,
      ...files,
      terminal,
      newGroup: true,
    });
    if (terminal !== undefined) terminal.foregroundGroup = process.group;
    return process;
  }

  private openTerminal(client: NonNullable<ClientStreams['terminal']>, screen: Writable): TerminalSession {
    const terminal = new TerminalSession({ ...client.size, screen, processes: this.view.processes });
    client.onResize(({ columns, rows }) => terminal.resize(columns, rows));
    return terminal;
  }

  private async takeInput(stdin: Readable, stop: AbortSignal): Promise<void> {
    if (this.terminal !== undefined) {
      await feed(stdin, this.terminal, stop);
      return;
    }
    for (;;) {
      const chunk = await nextChunk(stdin, stop);
      if (chunk === undefined) break;
      this.input?.write(chunk);
    }
    if (this.options.stdinOnce && !stop.aborted) this.input?.end();
  }

  private logWriter(stream: 'stdout' | 'stderr'): Writable {
    return new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.emit(stream, chunk);
        done();
      },
    });
  }

  private emit(stream: 'stdout' | 'stderr', data: Uint8Array): void {
    this.options.onOutput(stream, data);
    for (const watcher of this.watchers) {
      if (watcher[stream].writable) watcher[stream].write(data);
    }
  }

  private mount(mount: VolumeMount): void {
    const node = subPathNode(mount.volume, mount.subPath ?? '');
    this.view.files.mount(resolvePath('/', mount.path), node, { readOnly: mount.readOnly });
  }
}

/** A missing sub-path becomes an empty folder, as the kubelet makes one. Links are followed once: the mount keeps what they led to. */
function subPathNode(volume: Volume, subPath: string): FileTreeNode {
  const refuse = (): never => {
    throw new CommandNotStartedError(`failed to prepare subPath "${subPath}"`);
  };
  let node: FileTreeNode = volume.directory;
  let links = 0;
  const names = subPath.split('/');
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    if (name === '' || name === '.') continue;
    if (!(node instanceof DirectoryNode)) return refuse();
    const next: FileTreeNode = node.lookup(name) ?? emptyVolume().directory;
    if (next.kind === 'symlink') {
      // The links of a projection stay within the volume; what a program made may lead out of it.
      if (++links > MAX_SYMLINKS || /^\/|(^|\/)\.\.(\/|$)/.test(next.target)) return refuse();
      names.unshift(...next.target.split('/'));
      continue;
    }
    node.set(name, next);
    node = next;
  }
  return node;
}

function commandLine(
  image: Image,
  command: readonly string[] | undefined,
  args: readonly string[] | undefined,
): readonly string[] {
  const entrypoint = image.entrypoint ?? [];
  if (command !== undefined && command.length > 0) return [...command, ...(args ?? [])];
  return [...entrypoint, ...(args !== undefined && args.length > 0 ? args : image.defaultCommand)];
}

function startFailure(name: string, kind: 'not-found' | 'not-executable'): string {
  const cause =
    kind === 'not-executable'
      ? 'permission denied'
      : name.includes('/')
        ? `stat ${name}: no such file or directory`
        : 'executable file not found in $PATH';
  return `unable to start container process: exec: ${JSON.stringify(name)}: ${cause}`;
}

function plainFiles(streams: ClientStreams): { stdin: OpenFile; stdout: OpenFile; stderr: OpenFile } {
  return {
    stdin: readerFile(streams.stdin ?? emptyReadable()),
    stdout: writerFile(streams.stdout),
    stderr: writerFile(streams.stderr),
  };
}

function terminalFiles(terminal: TerminalSession): { stdin: OpenFile; stdout: OpenFile; stderr: OpenFile } {
  const file = new OpenFile({ reader: () => terminal.input(), writer: () => terminal.output, isTerminal: true });
  return { stdin: file, stdout: file, stderr: file };
}

async function feed(stdin: Readable, terminal: TerminalSession, stop: AbortSignal): Promise<void> {
  for (;;) {
    const chunk = await nextChunk(stdin, stop);
    if (chunk === undefined) break;
    terminal.feed(chunk);
  }
  if (!stop.aborted) terminal.hangUp();
}
