/**
 * Where the logs of a node's containers stand:
 * `<node folder>/pods/<namespace>_<name>_<uid>/<container>/<instance>.log`, instance 0 being the first start.
 * Of every container the present and the previous instance are kept.
 */
import { existsSync, rmSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Logger } from '../../shared/runtime/log.ts';
import { ContainerLog, type LogReadOptions, readLogFile } from './container-log.ts';
import type { LogEntry } from './log-entry.ts';

export class PodLogs {
  private readonly folder: string;
  private readonly nowMs: () => number;
  private readonly log: Logger;
  private readonly open = new Map<string, ContainerLog>();

  constructor(nodeFolder: string, nowMs: () => number, log: Logger) {
    this.folder = join(nodeFolder, 'pods');
    this.nowMs = nowMs;
    this.log = log;
  }

  /** Begins the log of an instance; the one before the previous is removed. */
  begin(pod: Pod, container: string, instance: number): ContainerLog {
    const path = this.path(pod, container, instance);
    const onError = (error: unknown): void => this.log.warn({ error, path }, "a container's output is lost");
    const log = new ContainerLog({ path, nowMs: this.nowMs, onError });
    this.open.set(path, log);
    const old = this.path(pod, container, instance - 2);
    if (this.open.delete(old) || instance >= 2) rmSync(old, { force: true });
    return log;
  }

  /** The log of an instance that this node-agent started and that was not removed. */
  find(pod: Pod, container: string, instance: number): ContainerLog | undefined {
    return this.open.get(this.path(pod, container, instance));
  }

  /** What stands in the log of an instance, one from before a restart of the node-agent included. */
  read(pod: Pod, container: string, instance: number, options: LogReadOptions): Generator<LogEntry> {
    const log = this.find(pod, container, instance);
    return log === undefined ? readLogFile(this.path(pod, container, instance), options) : log.read(options);
  }

  has(pod: Pod, container: string, instance: number): boolean {
    const path = this.path(pod, container, instance);
    return this.open.has(path) || existsSync(path);
  }

  async removePod(pod: Pod): Promise<void> {
    const folder = this.podFolder(pod);
    for (const [path, log] of this.open) {
      if (!path.startsWith(`${folder}/`)) continue;
      log.close();
      this.open.delete(path);
    }
    await rm(folder, { recursive: true, force: true });
  }

  /** Removes the logs of pods that are gone. */
  async retainOnly(pods: readonly Pod[]): Promise<void> {
    const kept = new Set(pods.map((pod) => this.podFolder(pod)));
    for (const name of await foldersIn(this.folder)) {
      const path = join(this.folder, name);
      if (!kept.has(path)) await rm(path, { recursive: true, force: true });
    }
  }

  private path(pod: Pod, container: string, instance: number): string {
    return join(this.podFolder(pod), container, `${instance}.log`);
  }

  private podFolder(pod: Pod): string {
    const { namespace, name, uid } = pod.metadata ?? {};
    return join(this.folder, `${namespace}_${name}_${uid}`);
  }
}

async function foldersIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
