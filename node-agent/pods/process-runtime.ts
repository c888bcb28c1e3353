/**
 * Containers that have an operating-system process of their own: the cluster's components that run as pods. The process
 * gets the pod's network over a Unix socket; it ends with the node-agent, however that ends, because its IPC channel does.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { constants } from 'node:os';
import { Descriptors, networkOwnedBy, type SocketOwner } from '../../shared/podnet/socket-owner.ts';
import { socketPath } from '../../shared/podnet/socket-path.ts';
import { type PodNetworkServer, servePodNetwork } from '../../shared/podnet/socket-server.ts';
import { decodeReadyNotice } from '../../shared/runtime/process.ts';
import { repositoryOf } from '../images/registry.ts';
import {
  CommandStartError,
  type ContainerEnd,
  type ContainerInstance,
  type ContainerLaunch,
  type ContainerRuntime,
  type ProcessStreams,
} from './container-runtime.ts';

/** An image whose container is a process of the cluster's own code. */
export interface ProcessImage {
  /** Repository without registry host and tag. */
  readonly repository: string;
  /** The file to run. */
  readonly entry: string;
  /** Node's own options, such as a heap limit. */
  readonly nodeOptions: readonly string[];
}

export interface ProcessRuntimeOptions {
  readonly images: readonly ProcessImage[];
  /** Folder for the Unix sockets. */
  readonly socketFolder: string;
  /** What every process of the cluster gets: PODWIRE_CLUSTER, PODWIRE_NATS_URL, ... */
  readonly environment: Readonly<Record<string, string>>;
}

const READY_LIMIT_MS = 3000;

export class ProcessRuntime implements ContainerRuntime {
  private readonly options: ProcessRuntimeOptions;

  constructor(options: ProcessRuntimeOptions) {
    this.options = options;
  }

  has(image: string): boolean {
    return this.find(image) !== undefined;
  }

  imageNames(): readonly string[] {
    return this.options.images.map((image) => image.repository);
  }

  async start(launch: ContainerLaunch): Promise<ContainerInstance> {
    const image = this.find(launch.image);
    if (image === undefined) throw new CommandStartError(`there is no process image ${launch.image}`);
    const path = await socketPath(this.options.socketFolder, launch.id.slice(0, 12));
    const owner = new OwningProcess(image.repository);
    const server = await servePodNetwork({ network: networkOwnedBy(owner, launch.sandbox.network), path });
    const child = fork(image.entry, [], {
      execArgv: [...image.nodeOptions],
      env: { ...this.environment(launch), PODWIRE_PODNET_SOCKET: path },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    owner.nodePid = child.pid ?? 0;
    const container = new ProcessContainer(child, server, launch);
    await Promise.race([readyNotice(child), container.ended]);
    return container;
  }

  private find(image: string): ProcessImage | undefined {
    const repository = repositoryOf(image);
    return this.options.images.find(
      (candidate) => repository === candidate.repository || repository.endsWith(`/${candidate.repository}`),
    );
  }

  private environment(launch: ContainerLaunch): Record<string, string> {
    const { sandbox } = launch;
    return {
      PATH: process.env.PATH ?? '',
      ...launch.environment,
      ...this.options.environment,
      PODWIRE_NODE_NAME: sandbox.nodeName,
      PODWIRE_POD_NAME: sandbox.podName,
      PODWIRE_POD_NAMESPACE: sandbox.namespace,
      PODWIRE_POD_IP: sandbox.podIp,
      PODWIRE_HEALTH_ADDRESS: '127.0.0.1:0',
    };
  }
}

/** The process as the owner of its sockets: the only one of its container. */
class OwningProcess implements SocketOwner {
  readonly name: string;
  readonly pid = 1;
  nodePid = 0;
  readonly pidNamespace = this;
  readonly descriptors = new Descriptors();

  constructor(repository: string) {
    this.name = repository.split('/').at(-1)?.slice(0, 15) ?? '';
  }
}

/**
 * Resolves when the process says that it does its work, or has had long enough: its first probe then finds it listening
 * instead of failing and waiting for a whole period.
 */
function readyNotice(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, READY_LIMIT_MS);
    child.on('message', (message) => {
      if (decodeReadyNotice(message) === undefined) return;
      clearTimeout(timer);
      resolve();
    });
    child.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

class ProcessContainer implements ContainerInstance {
  readonly pid: number | undefined;
  readonly ended: Promise<ContainerEnd>;
  private readonly child: ChildProcess;
  private readonly watchers = new Set<ProcessStreams>();

  constructor(child: ChildProcess, server: PodNetworkServer, launch: ContainerLaunch) {
    this.child = child;
    this.pid = child.pid;
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream]?.on('data', (data: Buffer) => {
        launch.onOutput(stream, data);
        for (const watcher of this.watchers) watcher[stream].write(data);
      });
    }
    this.ended = endOf(child).then(async (end) => {
      await server.close();
      await rm(server.path, { force: true });
      return end;
    });
  }

  signal(name: 'SIGTERM' | 'SIGKILL'): void {
    this.child.kill(name);
  }

  /** These images hold one program and nothing else, as their originals do. */
  exec(command: readonly string[]): Promise<number> {
    const name = command[0] ?? '';
    const message = `exec failed: unable to start container process: exec: ${JSON.stringify(name)}: executable file not found in $PATH`;
    return Promise.reject(new CommandStartError(message));
  }

  async attach(streams: ProcessStreams, signal: AbortSignal): Promise<void> {
    this.watchers.add(streams);
    const left = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([this.ended, left]);
    this.watchers.delete(streams);
  }

  terminationMessage(): string {
    return '';
  }
}

/** Resolves when the process is over and its output is read. */
function endOf(child: ChildProcess): Promise<ContainerEnd> {
  return new Promise((resolve) => {
    child.once('error', () => resolve({ exitCode: 128 }));
    child.once('close', (code, signalName) => {
      if (signalName === null) resolve({ exitCode: code ?? 0 });
      else {
        const signal = constants.signals[signalName];
        resolve({ exitCode: 128 + signal, signal });
      }
    });
  });
}
