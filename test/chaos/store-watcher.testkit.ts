/** A client that watches ConfigMaps without an end: from its list on, and on every break from where it was. */
import type { IncomingMessage } from 'node:http';
import type { Random } from '../../shared/runtime/random.ts';
import type { ApiProcess } from '../e2e/api-process.testkit.ts';
import { CONFIGMAPS_PATH, type ObjectVersion, versionIn } from './store-writer.testkit.ts';

export interface SeenChange {
  readonly name: string;
  readonly version: ObjectVersion;
  readonly revision: number;
}

interface WatchLine {
  readonly type: string;
  readonly object: {
    readonly metadata: { readonly name: string; readonly resourceVersion: string };
    readonly data?: unknown;
    readonly message?: string;
  };
}

export class StoreWatcher {
  /** In the order in which they were told. */
  readonly seen: SeenChange[] = [];
  /** The list it began with. */
  startRevision = 0;
  resumptions = 0;
  private readonly servers: readonly ApiProcess[];
  private readonly random: Random;
  private readonly selects: (name: string) => boolean;
  private revision = 0;
  private stopped = false;
  private response: IncomingMessage | undefined;

  constructor(servers: readonly ApiProcess[], random: Random, selects: (name: string) => boolean) {
    this.servers = servers;
    this.random = random;
    this.selects = selects;
  }

  /** The last revision that it was told. */
  get lastRevision(): number {
    return this.revision;
  }

  /** Lists; afterwards the changes of everybody count. */
  async begin(): Promise<void> {
    const { body } = await (this.servers[0] as ApiProcess).call('GET', CONFIGMAPS_PATH);
    this.revision = Number(JSON.parse(body).metadata.resourceVersion);
    this.startRevision = this.revision;
  }

  /** Watches until it is stopped; rejects when it is told to begin anew or told something twice. */
  async run(): Promise<void> {
    while (!this.stopped) {
      const server = this.servers[this.random.integer(0, this.servers.length)] as ApiProcess;
      try {
        await this.watchOnce(server);
      } catch (error) {
        if (!(error instanceof Error && 'code' in error)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      this.resumptions++;
    }
  }

  stop(): void {
    this.stopped = true;
    this.response?.destroy();
  }

  private async watchOnce(server: ApiProcess): Promise<void> {
    const path = `${CONFIGMAPS_PATH}?watch=1&allowWatchBookmarks=true&resourceVersion=${this.revision}`;
    const response = await server.open('GET', path);
    if (response.statusCode !== 200) {
      response.resume();
      // Too large resource version: this server has not caught up yet.
      if (response.statusCode === 504 || response.statusCode === 503) return;
      throw new Error(`a watch from ${this.revision} is refused with ${response.statusCode}`);
    }
    this.response = response;
    let rest = '';
    for await (const chunk of response.setEncoding('utf8')) {
      const lines = (rest + chunk).split('\n');
      // A server that is killed may leave a line unfinished.
      rest = lines.pop() as string;
      for (const line of lines) this.take(JSON.parse(line) as WatchLine);
    }
  }

  private take({ type, object }: WatchLine): void {
    if (type === 'ERROR') throw new Error(`the watch from ${this.revision} ended: ${object.message}`);
    const revision = Number(object.metadata.resourceVersion);
    if (type === 'BOOKMARK') {
      if (revision < this.revision) throw new Error(`a bookmark at ${revision} came after ${this.revision}`);
      this.revision = revision;
      return;
    }
    if (revision <= this.revision) throw new Error(`${type} at ${revision} came after ${this.revision}`);
    this.revision = revision;
    const { name } = object.metadata;
    if (!this.selects(name)) return;
    const version = versionIn(name, object.data);
    this.seen.push({ name, version: type === 'DELETED' ? undefined : version, revision });
  }
}
