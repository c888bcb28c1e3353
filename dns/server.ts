/** The DNS server: a configuration that can be exchanged while its sockets stay, so that a reload loses no query. */
import { createHash } from 'node:crypto';
import { socketErrorCode } from '../shared/podnet/socket-error.ts';
import type { Answering } from './answering.ts';
import { parseCorefile } from './corefile.ts';
import { emptyReply } from './message.ts';
import type { DnsNetwork, LogLevel, Query } from './plugin.ts';
import { type Binding, ServerBlocks, type SharedContext } from './server-blocks.ts';
import { type Listener, listenTcp, listenUdp, type TransportOptions } from './transport.ts';
import { DEFAULT_PORT } from './zone.ts';

export interface Corefile {
  /** Named in errors. */
  readonly file: string;
  readonly text: string;
}

export interface DnsServerOptions extends Omit<SharedContext, 'reload'> {
  /** The present Corefile. */
  readCorefile(): Corefile | Promise<Corefile>;
  /** The files of an `import` pattern, in order; without it a pattern is the name of one file. */
  findFiles?(pattern: string): readonly string[];
  /** Serves the DNS port, or the Corefile's first, there instead, and no other one (`--listen`). */
  readonly portOverride?: number;
  /** What plugins use instead of `network`. */
  readonly pluginNetwork?: DnsNetwork;
}

/** Ports of the system's choice that may be tried. */
const PORTS_TO_TRY = 20;

/** One port for both transports. Where the system chooses (0) it may be free for UDP alone: then it chooses again. */
async function listenBoth(options: TransportOptions): Promise<{ readonly udp: Listener; readonly tcp: Listener }> {
  for (let tries = 1; ; tries++) {
    const udp = await listenUdp(options);
    try {
      return { udp, tcp: await listenTcp({ ...options, port: udp.address.port }) };
    } catch (error) {
      await udp.close();
      const isTaken = socketErrorCode(error) === 'EADDRINUSE';
      if (!isTaken || options.port !== 0 || tries === PORTS_TO_TRY) throw error;
    }
  }
}

export class DnsServer {
  private readonly options: DnsServerOptions;
  private readonly listeners = new Map<string, Served>();
  /** Queries so far. */
  asked = 0;
  private blocks: ServerBlocks | undefined;
  private text = '';
  private reloading: Promise<void> | undefined;

  constructor(options: DnsServerOptions) {
    this.options = options;
  }

  /** Rejects with CorefileError, or when a port is taken. */
  async start(): Promise<void> {
    const corefile = await this.options.readCorefile();
    this.text = corefile.text;
    this.blocks = this.build(corefile);
    await this.listen(this.blocks.bindings);
    await this.blocks.start();
    this.tellConfiguration();
  }

  /** `.:53`, `example.org.:5353`: what is served, in the Corefile's order. */
  get servedZones(): readonly string[] {
    return this.blocks?.servedZones ?? [];
  }

  /** Lame duck time first (unless nobody is to move away), then the sockets. */
  async stop({ lameDuck = true } = {}): Promise<void> {
    await this.blocks?.stop(lameDuck ? 'shutdown' : 'reload');
    await Promise.all([...this.listeners.values()].map(closed));
  }

  /** Rejects for a configuration that does not work, which changes nothing; it is not tried again. */
  reload(): Promise<void> {
    // Every block's reload plugin asks for it.
    this.reloading ??= this.reloadOnce().finally(() => {
      this.reloading = undefined;
    });
    return this.reloading;
  }

  private async reloadOnce(): Promise<void> {
    const corefile = await this.options.readCorefile();
    const before = this.blocks;
    if (corefile.text === this.text || before === undefined) return;
    this.text = corefile.text;
    this.print('INFO', 'Reloading');
    const after = this.build(corefile);
    await this.listenAlso(after.bindings, before.bindings);
    // The former configuration answers until the new one knows the cluster; only its HTTP ports have to be free before that.
    await before.stop('reload');
    try {
      await after.start();
    } catch (error) {
      await after.stop('reload');
      await this.listenOnly(before.bindings);
      await before.start();
      throw error;
    }
    this.blocks = after;
    await this.closeOthers(after.bindings);
    this.tellConfiguration();
    this.print('INFO', 'Reloading complete');
  }

  /** Where a port of the configuration is served. */
  address(port: number): Listener['address'] | undefined {
    return [...this.listeners.values()].find((served) => served.port === port)?.udp.address;
  }

  private build({ file, text }: Corefile): ServerBlocks {
    const { environment, readFile, findFiles = (pattern) => [pattern] } = this.options;
    const blocks = parseCorefile(text, {
      file,
      environment,
      readImport: (pattern) =>
        findFiles(pattern).flatMap((path) => {
          const imported = readFile(path);
          return imported === undefined ? [] : [{ file: path, text: imported }];
        }),
    });
    const { network, pluginNetwork = network } = this.options;
    return new ServerBlocks(blocks, { ...this.options, network: pluginNetwork, reload: () => this.reload() });
  }

  /** Rejects when there is a port that cannot be had: then all is as it was. */
  private async listenAlso(wanted: readonly Binding[], present: readonly Binding[]): Promise<void> {
    try {
      await this.closeOverlapping(wanted);
      await this.listen(wanted);
    } catch (error) {
      await this.listenOnly(present);
      throw error;
    }
  }

  private async listenOnly(bindings: readonly Binding[]): Promise<void> {
    await this.closeOthers(bindings);
    await this.listen(bindings);
  }

  private async listen(bindings: readonly Binding[]): Promise<void> {
    for (const { port, address } of this.served(bindings)) {
      const key = keyOf({ port, address });
      if (this.listeners.has(key)) continue;
      const { network, portOverride } = this.options;
      const options = {
        network,
        address,
        port: portOverride ?? port,
        answer: (query: Query) => this.answer(port, query),
        sent: (query: Query, bytes: number) => this.blocks?.sent(port, query, bytes),
        failed: (error: unknown) => this.print('WARNING', error instanceof Error ? error.message : String(error)),
      };
      this.listeners.set(key, { port, address, ...(await listenBoth(options)) });
    }
  }

  private served(bindings: readonly Binding[]): readonly Binding[] {
    if (this.options.portOverride === undefined) return bindings;
    const [{ port } = { port: DEFAULT_PORT }] = [...bindings].sort((a, b) => Number(isDns(b)) - Number(isDns(a)));
    return [{ port, address: undefined }];
  }

  /** A port cannot be had at all addresses while there is a socket at one of them. */
  private async closeOverlapping(bindings: readonly Binding[]): Promise<void> {
    const wanted = this.served(bindings);
    const keys = new Set(wanted.map(keyOf));
    for (const [key, served] of [...this.listeners]) {
      const overlaps = ({ port, address }: Binding): boolean =>
        port === served.port && (address === undefined || served.address === undefined);
      if (keys.has(key) || !wanted.some(overlaps)) continue;
      this.listeners.delete(key);
      await closed(served);
    }
  }

  private async closeOthers(bindings: readonly Binding[]): Promise<void> {
    const kept = new Set(this.served(bindings).map(keyOf));
    for (const [key, served] of [...this.listeners]) {
      if (kept.has(key)) continue;
      this.listeners.delete(key);
      await closed(served);
    }
  }

  private answer(port: number, query: Query): Answering {
    this.asked++;
    // Failures are the errors plugin's to print; without it only the client learns of them.
    try {
      const answering = this.blocks?.answer(port, query) ?? emptyReply('SERVFAIL');
      return answering instanceof Promise ? answering.catch(() => emptyReply('SERVFAIL')) : answering;
    } catch {
      return emptyReply('SERVFAIL');
    }
  }

  /** Whoever reloads wants to know which configuration runs. */
  private tellConfiguration(): void {
    if (!this.blocks?.hasPlugin('reload')) return;
    const value = sha512(this.text);
    this.print('INFO', `plugin/reload: Running configuration SHA512 = ${value}`);
    const info = this.options.pluginMetrics.gauge({
      name: 'coredns_reload_version_info',
      help: 'A metric with a constant value of 1, labeled by the hash of the configuration.',
      labelNames: ['hash', 'value'],
    });
    info.clear();
    info.set({ hash: 'sha512', value }, () => 1);
  }

  private print(level: LogLevel, text: string): void {
    this.options.print(level, text);
  }
}

interface Served extends Binding {
  readonly udp: Listener;
  readonly tcp: Listener;
}

async function closed({ udp, tcp }: Served): Promise<void> {
  await Promise.all([udp.close(), tcp.close()]);
}

function keyOf({ port, address }: Binding): string {
  return `${address ?? ''} ${port}`;
}

function isDns({ port }: Binding): boolean {
  return port === DEFAULT_PORT;
}

function sha512(text: string): string {
  return createHash('sha512').update(text).digest('hex');
}
