/** A parsed Corefile made into running chains: one a server block, found by port and the longest zone that fits. */
import type { Answering } from './answering.ts';
import { type BlockContext, buildChain, type Chain } from './chain.ts';
import { CorefileError, type ServerBlock } from './corefile.ts';
import { emptyReply, type Reply } from './message.ts';
import type { PluginContext, Query } from './plugin.ts';
import { isInZone, parseServerKey, type ServerKey } from './zone.ts';

export type SharedContext = Omit<
  PluginContext,
  'zones' | 'port' | 'server' | 'directives' | 'plugins' | 'lookup' | 'notReady'
>;

/** Where a port is served: at an address, or at all. */
export interface Binding {
  readonly port: number;
  readonly address: string | undefined;
}

interface RunningBlock {
  readonly keys: readonly ServerKey[];
  readonly chain: Chain;
}

interface Route {
  readonly zone: string;
  readonly chain: Chain;
}

/** Aliases that lead to each other end here. */
const MAX_DEPTH = 8;
const NO_BYTES = new Uint8Array(0);

export class ServerBlocks {
  readonly ports: readonly number[];
  private readonly blocks: readonly RunningBlock[];
  /** By port; each port's zones with the longest first. */
  private readonly routes = new Map<number, Route[]>();

  /** Throws CorefileError. */
  constructor(blocks: readonly ServerBlock[], shared: SharedContext) {
    const keys = blocks.map((block) => block.keys.flatMap((key) => parseServerKey(key, block)));
    refuseDuplicates(blocks, keys);
    this.blocks = blocks.map((block, index) => {
      const own = keys[index] ?? [];
      return { keys: own, chain: buildChain(block.directives, this.contextOf(own, block, shared)) };
    });
    for (const { keys: own, chain } of this.blocks) {
      for (const { port, zone } of own) {
        this.routes.set(port, [...(this.routes.get(port) ?? []), { zone, chain }]);
      }
    }
    for (const routes of this.routes.values()) routes.sort((a, b) => b.zone.length - a.zone.length);
    this.ports = [...this.routes.keys()];
  }

  answer(port: number, query: Query): Answering {
    const chain = this.chainOf(port, query);
    if (chain === undefined || (query.question.class !== 'IN' && !chain.takesAnyClass)) return emptyReply('REFUSED');
    return chain.handler(query);
  }

  /** The answer has left. */
  sent(port: number, query: Query, bytes: number): void {
    this.chainOf(port, query)?.sent?.(query, bytes);
  }

  private chainOf(port: number, { question }: Query): Chain | undefined {
    return this.routes.get(port)?.find(({ zone }) => isInZone(question.key, zone))?.chain;
  }

  /** Resolves when every plugin has started; rejects when one cannot (a port is taken). */
  async start(): Promise<void> {
    await Promise.all(this.plugins().map(({ plugin }) => plugin.start?.()));
  }

  async stop(reason: 'shutdown' | 'reload'): Promise<void> {
    await Promise.all(this.plugins().map(({ plugin }) => plugin.stop?.(reason)));
  }

  /** `.:53` */
  get servedZones(): readonly string[] {
    return this.blocks.flatMap(({ keys }) => keys.map(({ zone, port }) => `${zone}.:${port}`));
  }

  hasPlugin(wanted: string): boolean {
    return this.plugins().some(({ name }) => name === wanted);
  }

  /** A port that one block serves at all addresses is served there alone. */
  get bindings(): readonly Binding[] {
    return this.ports.flatMap((port) => {
      const addresses = this.blocks.filter(({ keys }) => keys.some((key) => key.port === port)).map(boundTo);
      const distinct = addresses.some(({ length }) => length === 0) ? [undefined] : new Set(addresses.flat());
      return [...distinct].map((address) => ({ port, address }));
    });
  }

  /** The plugins that are not ready. */
  notReady(): string[] {
    return this.plugins().flatMap(({ plugin }) => plugin.notReady?.() ?? []);
  }

  private plugins(): Chain['plugins'] {
    return this.blocks.flatMap(({ chain }) => chain.plugins);
  }

  private contextOf(keys: readonly ServerKey[], { directives }: ServerBlock, shared: SharedContext): BlockContext {
    const port = keys[0]?.port ?? 0;
    return {
      ...shared,
      zones: keys.map(({ zone }) => zone),
      port,
      server: `dns://:${port}`,
      directives,
      lookup: (name, type, cause) => this.lookup(port, name, type, cause),
      notReady: () => this.notReady(),
    };
  }

  private async lookup(port: number, name: string, type: string, cause: Query | undefined): Promise<Reply> {
    const depth = (cause?.depth ?? 0) + 1;
    if (depth > MAX_DEPTH) return emptyReply('SERVFAIL');
    const query: Query = {
      id: cause?.id ?? 0,
      question: { name, key: name.toLowerCase(), type, class: 'IN' },
      recursionDesired: true,
      checkingDisabled: false,
      edns: cause?.edns,
      questionBytes: NO_BYTES,
      remote: cause?.remote ?? { address: '127.0.0.1', port: 0 },
      transport: cause?.transport ?? 'udp',
      sizeBytes: 0,
      depth,
    };
    try {
      return await this.answer(port, query);
    } catch {
      // The failure of a part is the whole's to judge, by its code.
      return emptyReply('SERVFAIL');
    }
  }
}

function boundTo({ chain }: RunningBlock): readonly string[] {
  return chain.plugins.flatMap(({ plugin }) => plugin.bindAddresses ?? []);
}

function refuseDuplicates(blocks: readonly ServerBlock[], keys: readonly (readonly ServerKey[])[]): void {
  const seen = new Set<string>();
  keys.forEach((own, index) => {
    for (const { zone, port } of own) {
      const text = `${zone}.:${port}`;
      const block = blocks[index];
      if (seen.has(text) && block !== undefined) {
        throw new CorefileError(block, `cannot serve dns://${text} - it is already defined: expected one block for it`);
      }
      seen.add(text);
    }
  });
}
