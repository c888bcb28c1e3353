/**
 * What runs containers: the seam between the kubelet and the kinds of image. Three implementations: `emulated-runtime.ts`
 * (images that are programs of the node-agent's own process), `process-runtime.ts` (components with a process of their own)
 * and `netns/netns-runtime.ts` (programs of the machine, for pods of the RuntimeClass `netns`).
 */
import type { Readable, Writable } from 'node:stream';
import type { Host } from '../../shared/netstack/host.ts';
import type { PodNetwork } from '../../shared/podnet/pod-network.ts';
import type { Volume } from '../images/files/volume.ts';

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** Until someone tells of another. */
export const DEFAULT_TERMINAL: TerminalSize = { columns: 80, rows: 24 };

/** The standard streams of a process that someone outside holds the other ends of. */
export interface ProcessStreams {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable;
  /** The terminal's `stdout` when there is one. */
  readonly stderr: Writable;
  /** Present with `tty`; `size` is the last one told, `onResize` tells of changes. */
  readonly terminal?: { readonly size: TerminalSize; onResize(listener: (size: TerminalSize) => void): void };
}

/** What all containers of a pod share: the network namespace, the host name, the files by which names resolve. */
export interface PodSandbox {
  readonly podUid: string;
  readonly podName: string;
  readonly namespace: string;
  readonly hostname: string;
  /** The pod's address; the node's for a pod of the host network. */
  readonly podIp: string;
  /** Of a dual-stack pod. */
  readonly podIpv6?: string;
  readonly network: PodNetwork;
  readonly host: Host;
  readonly hostsFile: string;
  readonly resolvConf: string;
  readonly nodeName: string;
  /** What runs this pod's containers, whatever their image; absent where the image says it. */
  readonly runtime?: ContainerRuntime;
  /** The objects behind the pod's volumes have changed; absent where containers see that by themselves. */
  readonly refreshVolumes?: () => Promise<void>;
}

export interface Mount {
  /** Absolute path in the container. */
  readonly path: string;
  readonly volume: Volume;
  /** Within the volume; empty for all of it. */
  readonly subPath: string;
  readonly readOnly: boolean;
}

export interface ContainerLaunch {
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly sandbox: PodSandbox;
  readonly containerName: string;
  readonly image: string;
  /** The container of the pod whose processes this one sees (`targetContainerName`). */
  readonly processesOf?: string;
  /** It sees the processes of all containers of the pod (`shareProcessNamespace`). */
  readonly sharesProcesses?: boolean;
  /** Replaces the image's entry point. */
  readonly command: readonly string[] | undefined;
  readonly args: readonly string[] | undefined;
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string | undefined;
  readonly mounts: readonly Mount[];
  /** It has CAP_NET_ADMIN: its programs may change devices, addresses, routes and rules. */
  readonly administersNetwork?: boolean;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  /** Where the program may leave its last words. */
  readonly terminationMessagePath: string;
  /** Output as it is written, for the log. */
  readonly onOutput: (stream: 'stdout' | 'stderr', data: Uint8Array) => void;
}

export interface ContainerEnd {
  readonly exitCode: number;
  /** Number of the signal that ended it. */
  readonly signal?: number;
}

export interface ContainerInstance {
  /** Of a container with an operating-system process of its own. */
  readonly pid?: number;
  /** Of processes of the machine that its programs are, where they are; `pid` included. */
  readonly machineProcesses?: Iterable<number>;
  readonly ended: Promise<ContainerEnd>;
  signal(name: 'SIGTERM' | 'SIGKILL'): void;
  /** Runs a command beside the main one; resolves with its exit code. Rejects with CommandStartError. */
  exec(command: readonly string[], streams: ProcessStreams, signal: AbortSignal): Promise<number>;
  /** Joins the main process' streams; resolves when it ends or `signal` is aborted. */
  attach(streams: ProcessStreams, signal: AbortSignal): Promise<void>;
  /** What the container left in its termination message file; empty when there is none. */
  terminationMessage(path: string): string;
}

/** The command could not be started: no such program. */
export class CommandStartError extends Error {
  override readonly name = 'CommandStartError';
}

export interface ContainerRuntime {
  /** True when the image can be run here. */
  has(image: string): boolean;
  /** Names of the images, for the text that helps who asked for another. */
  imageNames(): readonly string[];
  /** What who asks for the image should know of it; for the event `Pulled`. */
  remark?(image: string): string | undefined;
  /** Rejects with CommandStartError when the container's command does not exist. */
  start(launch: ContainerLaunch): Promise<ContainerInstance>;
}
