/** One running container of an emulated image: its files, its processes, and how programs are started in it. */
import type { Writable } from 'node:stream';
import type { PodNetwork } from '../../shared/podnet/pod-network.ts';
import { Resolver } from '../../shared/podnet/resolver.ts';
import { networkOwnedBy } from '../../shared/podnet/socket-owner.ts';
import { ContainerFiles, resolvePath } from './files/container-files.ts';
import { FileError } from './files/file-error.ts';
import { DeviceNode, DirectoryNode, FileNode, SymlinkNode } from './files/file-node.ts';
import { procDirectory } from './files/proc.ts';
import type { ContainerView, Executable, KernelView, LaunchOptions, Program, ProgramContext } from './image.ts';
import { type Process, ProcessTable, SIGNAL_NUMBERS } from './process.ts';
import { BrokenPipeError, write } from './program-io.ts';

export interface ContainerOptions {
  readonly podName: string;
  readonly namespace: string;
  readonly hostname: string;
  readonly containerName: string;
  readonly nodeName: string;
  readonly network: PodNetwork;
  readonly kernel?: KernelView;
  readonly machineFolder?: string;
  /** Of a PID namespace that is there already. */
  readonly processes?: ProcessTable;
  readonly machineFolders: readonly { readonly path: string; readonly real: string }[];
  readonly layer: DirectoryNode;
  readonly programs: Readonly<Record<string, Program>>;
  readonly etcHosts: string;
  readonly resolvConf: string;
  readonly logWriter: (stream: 'stdout' | 'stderr') => Writable;
}

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const MAX_SCRIPT_DEPTH = 4;

export class Container implements ContainerView {
  readonly podName: string;
  readonly namespace: string;
  readonly hostname: string;
  readonly containerName: string;
  readonly nodeName: string;
  readonly network: PodNetwork;
  readonly resolver: Resolver;
  readonly files: ContainerFiles;
  readonly processes: ProcessTable;
  readonly machineProcesses = new Set<number>();
  readonly kernel: KernelView | undefined;
  readonly machineFolder: string | undefined;
  readonly machineFolders: readonly { readonly path: string; readonly real: string }[];
  readonly logWriter: (stream: 'stdout' | 'stderr') => Writable;
  private readonly programs: Readonly<Record<string, Program>>;
  /** This, for the views of its processes too. */
  private readonly whole: Container = this;

  constructor(options: ContainerOptions) {
    this.podName = options.podName;
    this.namespace = options.namespace;
    this.hostname = options.hostname;
    this.containerName = options.containerName;
    this.nodeName = options.nodeName;
    this.network = options.network;
    this.processes = options.processes ?? new ProcessTable();
    this.kernel = options.kernel;
    this.machineFolder = options.machineFolder;
    this.machineFolders = options.machineFolders;
    this.programs = options.programs;
    this.logWriter = options.logWriter;
    this.files = new ContainerFiles(options.layer);
    this.processes.files = this.files;
    this.files.writeFile('/etc/hosts', options.etcHosts);
    this.files.writeFile('/etc/resolv.conf', options.resolvConf);
    this.files.writeFile('/etc/hostname', `${options.hostname}\n`);
    this.files.mount('/dev', deviceDirectory());
    this.files.mount('/proc', procDirectory(this));
    this.resolver = new Resolver(options.network, {
      resolvConf: () => this.textOf('/etc/resolv.conf'),
      hosts: () => this.textOf('/etc/hosts'),
    });
  }

  findExecutable(command: string, searchPath: string | undefined, cwd: string): Executable {
    if (command.includes('/')) return this.executableAt(resolvePath(cwd, command));
    let blocked: Executable = { kind: 'not-found' };
    for (const directory of (searchPath ?? DEFAULT_PATH).split(':')) {
      const found = this.executableAt(resolvePath(cwd, `${directory === '' ? '.' : directory}/${command}`));
      if (found.kind === 'found') return found;
      if (found.kind === 'not-executable') blocked = found;
    }
    return blocked;
  }

  launch(options: LaunchOptions): Process {
    const { program, argv } = this.programAt(options.path, options.argv, 0);
    const { replace, parent, newGroup } = options;
    const process = replace ?? this.processes.spawn({ argv, parent, newGroup });
    replace?.becomes(argv);
    const files = [options.stdin.retain(), options.stdout.retain(), options.stderr.retain()];
    const context: ProgramContext = {
      argv,
      env: options.env,
      cwd: options.cwd,
      stdin: options.stdin.reader(),
      stdout: options.stdout.writer(),
      stderr: options.stderr.writer(),
      standardFiles: { stdin: options.stdin, stdout: options.stdout, stderr: options.stderr },
      terminal: options.terminal,
      process,
      signal: process.signal,
      container: this.seenBy(process),
    };
    void runToEnd(program, context);
    void process.exited.then(() => {
      for (const file of files) file.release();
    });
    return process;
  }

  /** The container as one of its processes has it: sockets that it opens are its own. */
  private seenBy(process: Process): ContainerView {
    const network = networkOwnedBy(process, this.whole.network);
    return Object.create(this.whole, { network: { value: network } }) as Container; // a Container by its prototype
  }

  private executableAt(path: string): Executable {
    try {
      const node = this.files.node(path);
      if (node instanceof FileNode && (node.mode & 0o111) !== 0) return { kind: 'found', path };
      return { kind: 'not-executable', path };
    } catch (error) {
      if (error instanceof FileError) return { kind: 'not-found' };
      throw error;
    }
  }

  /** The program of a file, or the interpreter that its first line names. */
  private programAt(
    path: string,
    argv: readonly string[],
    depth: number,
  ): { program: Program; argv: readonly string[] } {
    const node = this.files.node(path);
    if (!(node instanceof FileNode)) throw new FileError('EACCES', path);
    const program = node.program === undefined ? undefined : this.programs[node.program];
    if (program !== undefined) return { program, argv };
    const line = new TextDecoder().decode(node.bytes.subarray(0, 256)).split('\n', 1)[0] ?? '';
    const [, interpreter, argument] = /^#!\s*(\S+)(?:\s+(.*\S))?\s*$/.exec(line) ?? [undefined, '/bin/sh'];
    if (interpreter === undefined || depth > MAX_SCRIPT_DEPTH) throw new FileError('ELOOP', path);
    const rest = [path, ...argv.slice(1)];
    const scriptArgv = argument === undefined ? [interpreter, ...rest] : [interpreter, argument, ...rest];
    return this.programAt(interpreter, scriptArgv, depth + 1);
  }

  private textOf(path: string): string {
    return this.files.exists(path) ? this.files.readText(path) : '';
  }
}

async function runToEnd(program: Program, context: ProgramContext): Promise<void> {
  const { process } = context;
  try {
    process.exit({ code: (await program(context)) & 255 });
  } catch (error) {
    if (error instanceof BrokenPipeError) {
      process.exit({ code: 128 + SIGNAL_NUMBERS.SIGPIPE, signal: 'SIGPIPE' });
      return;
    }
    // A program's fault ends the program and nothing else; who looks at the log sees what it was.
    if (process.exitStatus === undefined) await complain(context, error);
    process.exit({ code: 1 });
  }
}

async function complain(context: ProgramContext, error: unknown): Promise<void> {
  const sentence = error instanceof FileError ? `${error.path}: ${error.message}` : describe(error);
  try {
    await write(context.stderr, `${context.argv[0]}: ${sentence}\n`);
  } catch (failure) {
    if (!(failure instanceof BrokenPipeError)) throw failure;
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function deviceDirectory(): DirectoryNode {
  const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty', 'stdin', 'stdout', 'stderr'] as const;
  const directory = new DirectoryNode();
  for (const device of devices) directory.entries.set(device, new DeviceNode(device));
  directory.entries.set('fd', new SymlinkNode('/proc/self/fd'));
  directory.entries.set('shm', new DirectoryNode(new Map(), { mode: 0o1777 }));
  return directory;
}
