/**
 * What an emulated image is. Adding one is one file: export an `Image` and put it into `registry.ts`' list.
 */
import type { Readable, Writable } from 'node:stream';
import type { PodNetwork } from '../../shared/podnet/pod-network.ts';
import type { Resolver } from '../../shared/podnet/resolver.ts';
import type { PacketFilter } from '../../shared/wire/pcap-filter/compile.ts';
import type { ContainerFiles } from './files/container-files.ts';
import type { OpenFile } from './open-file.ts';
import type { Process, ProcessTable } from './process.ts';
import type { TerminalSession } from './terminal.ts';

/** A frame as it left through a device or arrived on it. */
export interface SeenFrame {
  readonly deviceName: string;
  readonly deviceIndex: number;
  /** Nanoseconds since 1970. */
  readonly timestampNs: bigint;
  /** An Ethernet frame, or as many of its bytes as were asked for. */
  readonly bytes: Uint8Array;
  readonly wireBytes: number;
  readonly outbound: boolean;
}

export interface PacketSocketOptions {
  /** All devices by default. */
  readonly device?: string;
  readonly filter: PacketFilter;
  readonly snapBytes: number;
}

/** Frames of a network namespace (packet(7)), in a queue that is bounded. */
export interface PacketSocket {
  /** What came since, once there is something; undefined when the socket was closed and all was taken. */
  next(): Promise<readonly SeenFrame[] | undefined>;
  /** Frames that passed the filter, and those of them that found no room. */
  counters(): { readonly received: number; readonly dropped: number };
  close(): void;
}

export interface PacketSockets {
  devices(): readonly { readonly name: string; readonly index: number }[];
  open(options: PacketSocketOptions): PacketSocket;
  /** Sends an Ethernet frame through a device as it is; false where there is no room for it. */
  transmit(deviceName: string, frame: Uint8Array): boolean;
}

export interface KernelOutput {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
  /** Of a command that follows: what to run for what comes next. */
  readonly next?: readonly string[];
}

/** What a program may ask the pod's kernel for beside sockets: the answers of `ip`, `ss`, `netstat`, `arp`, `route`, and frames. */
export interface KernelView {
  /** Absent where nothing can be captured. */
  readonly packets?: PacketSockets;
  /**
   * Runs one of those commands on the live stack; `command[0]` is its name. `pidNamespace` is that of who asks: its processes are
   * named.
   */
  run(command: readonly string[], pidNamespace?: object): KernelOutput;
}

export interface LaunchOptions {
  readonly path: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly stdin: OpenFile;
  readonly stdout: OpenFile;
  readonly stderr: OpenFile;
  readonly terminal?: TerminalSession;
  readonly parent?: Process;
  readonly newGroup?: boolean;
  /** The process that becomes this program (`exec`) instead of a new one. */
  readonly replace?: Process;
}

export type Executable =
  | { readonly kind: 'found'; readonly path: string }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'not-executable'; readonly path: string };

/** The container that a program runs in. */
export interface ContainerView {
  readonly podName: string;
  readonly namespace: string;
  readonly hostname: string;
  readonly containerName: string;
  readonly nodeName: string;
  readonly network: PodNetwork;
  readonly resolver: Resolver;
  readonly files: ContainerFiles;
  readonly processes: ProcessTable;
  readonly kernel?: KernelView;
  /** For what the container's programs keep on the machine; removed with the container. */
  readonly machineFolder?: string;
  /** Volumes that are folders of the machine. */
  readonly machineFolders: readonly { readonly path: string; readonly real: string }[];
  /** Its programs that are processes of the machine, by their ids. */
  readonly machineProcesses: Set<number>;
  /** Finds a command as execvp does: a path, or a name on `searchPath` (a standard one when undefined). */
  findExecutable(command: string, searchPath: string | undefined, cwd: string): Executable;
  /** Starts the program at an absolute path; takes its own references to the files. */
  launch(options: LaunchOptions): Process;
  /** The container's log, for whatever process opens it (`/proc/1/fd/1`). */
  logWriter(stream: 'stdout' | 'stderr'): Writable;
}

export interface ProgramContext {
  /** `argv[0]` is the command's name as it was called. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** The descriptors behind the streams, for programs that start others. */
  readonly standardFiles: { readonly stdin: OpenFile; readonly stdout: OpenFile; readonly stderr: OpenFile };
  readonly terminal?: TerminalSession;
  readonly process: Process;
  /** Aborted by a signal that nobody handles and when the process is over; the reason is a `KilledError`. */
  readonly signal: AbortSignal;
  readonly container: ContainerView;
}

/** Runs to its end and returns the exit code. A `BrokenPipeError` that it lets through ends it as SIGPIPE does. */
export type Program = (context: ProgramContext) => Promise<number>;

export interface Image {
  /** Repository names without registry host, tag and digest: `nginx`, `library/nginx`, `e2e-test-images/agnhost`. */
  readonly repositories: readonly string[];
  /** What `command:` of a pod replaces; empty for images without an ENTRYPOINT. */
  readonly entrypoint?: readonly string[];
  /** What `args:` of a pod replaces (CMD). */
  readonly defaultCommand: readonly string[];
  /** Command name (in /usr/bin) or absolute path -> program. */
  readonly programs: Readonly<Record<string, Program>>;
  /** What who asks for the image should know of it: shown with the event `Pulled`. */
  readonly remark?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
  /** Absolute path -> text. */
  readonly files?: Readonly<Record<string, string>>;
}

/** A program whose code is loaded when it first runs. */
export function lazyProgram(load: () => Promise<Program>): Program {
  return async (context) => (await load())(context);
}
