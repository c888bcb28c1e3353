/** Containers of emulated images: programs of the node-agent's own process. */

import { join } from 'node:path';
import type { Host } from '../../shared/netstack/host.ts';
import { FileError } from '../images/files/file-error.ts';
import type { KernelView } from '../images/image.ts';
import { ProcessTable } from '../images/process.ts';
import { findImage, imageNames } from '../images/registry.ts';
import { CommandNotStartedError, type RunningContainer, startContainer } from '../images/runtime.ts';
import {
  CommandStartError,
  type ContainerInstance,
  type ContainerLaunch,
  type ContainerRuntime,
  type PodSandbox,
  type ProcessStreams,
} from './container-runtime.ts';

export interface EmulatedRuntimeOptions {
  /** Answers `ip`, `ss` and their kin for a network namespace. */
  readonly kernelOf: (host: Host, administrator: boolean) => KernelView;
  /** Where programs that are processes of the machine keep their files: a folder for each container. */
  readonly machineFolder: string;
}

export class EmulatedRuntime implements ContainerRuntime {
  private readonly options: EmulatedRuntimeOptions;
  /** Processes of running containers, by pod and container. */
  private readonly processes = new Map<string, ProcessTable>();

  /** Of pods whose containers share them. */
  private readonly sharedProcesses = new WeakMap<PodSandbox, ProcessTable>();

  constructor(options: EmulatedRuntimeOptions) {
    this.options = options;
  }

  has(image: string): boolean {
    return findImage(image) !== undefined;
  }

  imageNames(): readonly string[] {
    return imageNames();
  }

  remark(image: string): string | undefined {
    return findImage(image)?.remark;
  }

  /** What the container joins; undefined when it has a PID namespace of its own. */
  private pidNamespaceOf({ sandbox, processesOf, sharesProcesses }: ContainerLaunch): ProcessTable | undefined {
    if (processesOf !== undefined) return this.processes.get(`${sandbox.podUid}/${processesOf}`);
    if (sharesProcesses !== true) return undefined;
    let shared = this.sharedProcesses.get(sandbox);
    if (shared === undefined) {
      shared = new ProcessTable();
      shared.spawn({ argv: ['/pause'] });
      this.sharedProcesses.set(sandbox, shared);
    }
    return shared;
  }

  async start(launch: ContainerLaunch): Promise<ContainerInstance> {
    const image = findImage(launch.image);
    if (image === undefined) throw new CommandStartError(`there is no emulated image ${launch.image}`);
    const { sandbox } = launch;
    const key = `${sandbox.podUid}/${launch.containerName}`;
    try {
      const running = startContainer({
        ...launch,
        image,
        processes: this.pidNamespaceOf(launch)?.joined(),
        podName: sandbox.podName,
        namespace: sandbox.namespace,
        hostname: sandbox.hostname,
        nodeName: sandbox.nodeName,
        network: sandbox.network,
        kernel: this.options.kernelOf(sandbox.host, launch.administersNetwork === true),
        machineFolder: join(this.options.machineFolder, launch.id.slice(0, 12)),
        etcHosts: sandbox.hostsFile,
        resolvConf: sandbox.resolvConf,
      });
      const { processes } = running.view;
      this.processes.set(key, processes);
      void running.ended.then(() => {
        if (this.processes.get(key) === processes) this.processes.delete(key);
      });
      return new EmulatedContainer(running);
    } catch (error) {
      if (error instanceof CommandNotStartedError) throw new CommandStartError(error.message);
      throw error;
    }
  }
}

class EmulatedContainer implements ContainerInstance {
  readonly ended: ContainerInstance['ended'];
  private readonly running: RunningContainer;

  constructor(running: RunningContainer) {
    this.running = running;
    this.ended = running.ended;
  }

  get machineProcesses(): Iterable<number> {
    return this.running.view.machineProcesses;
  }

  signal(name: 'SIGTERM' | 'SIGKILL'): void {
    this.running.signal(name);
  }

  async exec(command: readonly string[], streams: ProcessStreams, signal: AbortSignal): Promise<number> {
    try {
      return await this.running.exec(command, streams, signal);
    } catch (error) {
      if (error instanceof CommandNotStartedError) throw new CommandStartError(error.message);
      throw error;
    }
  }

  attach(streams: ProcessStreams, signal: AbortSignal): Promise<void> {
    return this.running.attach(streams, signal);
  }

  terminationMessage(path: string): string {
    try {
      return this.running.view.files.readText(path);
    } catch (error) {
      if (error instanceof FileError) return '';
      throw error;
    }
  }
}
