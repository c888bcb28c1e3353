/** calico's objects in memory: one store, which each node sees on its own, with the compare-and-swap of the API. */
import type { CalicoDatastore } from './datastore.ts';
import { type Block, blockName } from './ipam/block.ts';
import { type IpPool, type IpPoolObject, ipPoolOf } from './ipam/ip-pool.ts';
import { IpamConflictError } from './ipam/ipam-store.ts';
import type { BgpConfiguration, BgpPeer } from './peerings.ts';

type News = { readonly name: string; readonly revision: number; readonly block: Block | undefined };

/** What happens to a request on its way; by default it is carried out at once. */
export type Network = (request: () => void, from: MemoryDatastore) => Promise<void>;
const AT_ONCE: Network = async (request) => request();

export class MemoryCalicoStore {
  readonly blocks = new Map<string, Block>();
  pools: IpPool[];
  strictAffinity = false;
  bgpConfiguration: BgpConfiguration = {};
  bgpPeers: BgpPeer[] = [];
  /** Those of which some that follow have not heard. */
  readonly nodes = new Set<string>();
  network: Network = AT_ONCE;
  /** False: nodes are told by `MemoryDatastore.catchUp`. */
  tellsAtOnce = true;
  private revision = 0;
  private readonly views = new Set<MemoryDatastore>();

  constructor(...pools: IpPoolObject['spec'][]) {
    this.pools = pools.map((spec, i) => ipPoolOf({ metadata: { name: `pool-${i + 1}` }, spec })!);
  }

  node(): MemoryDatastore {
    const view = new MemoryDatastore(this);
    this.views.add(view);
    for (const [name, block] of this.blocks) view.hear({ name, revision: Number(block.resourceVersion), block });
    return view;
  }

  /** The node is dead. */
  drop(view: MemoryDatastore): void {
    this.views.delete(view);
  }

  isAlive(view: MemoryDatastore): boolean {
    return this.views.has(view);
  }

  put(block: Block): News {
    const name = blockName(block.prefix);
    this.compare(name, block);
    const revision = ++this.revision;
    const stored = { ...block, resourceVersion: String(revision) };
    this.blocks.set(name, stored);
    return this.tell({ name, revision, block: stored });
  }

  remove(block: Block): News {
    const name = blockName(block.prefix);
    this.compare(name, block);
    this.blocks.delete(name);
    return this.tell({ name, revision: ++this.revision, block: undefined });
  }

  /** As it is now. */
  read(name: string): News {
    const block = this.blocks.get(name);
    return { name, revision: block === undefined ? this.revision : Number(block.resourceVersion), block };
  }

  /** Of pools and the rest. */
  changed(): void {
    for (const view of this.views) view.onChange?.();
  }

  private compare(name: string, { resourceVersion }: Block): void {
    if (this.blocks.get(name)?.resourceVersion !== resourceVersion)
      throw new IpamConflictError(`${name} is not as it was at ${resourceVersion}`);
  }

  private tell(news: News): News {
    for (const view of this.views) view.hear(news);
    return news;
  }
}

export class MemoryDatastore implements CalicoDatastore {
  readonly blocks = new Map<string, Block>();
  nodeLabels: Readonly<Record<string, string>> = {};
  annotations: Readonly<Record<string, string>> = {};
  onChange: (() => void) | null = null;
  readonly errors: unknown[] = [];
  private readonly store: MemoryCalicoStore;
  private readonly revisions = new Map<string, number>();
  private unheard: News[] = [];

  constructor(store: MemoryCalicoStore) {
    this.store = store;
  }

  get pools(): readonly IpPool[] {
    return this.store.pools;
  }

  get strictAffinity(): boolean {
    return this.store.strictAffinity;
  }

  get bgpConfiguration(): BgpConfiguration {
    return this.store.bgpConfiguration;
  }

  get bgpPeers(): readonly BgpPeer[] {
    return this.store.bgpPeers;
  }

  async start(): Promise<void> {
    this.catchUp();
  }

  async write(block: Block): Promise<void> {
    await this.ask(() => this.store.put(block));
  }

  async delete(block: Block): Promise<void> {
    if (block.resourceVersion !== undefined) await this.ask(() => this.store.remove(block));
  }

  async refresh(name: string): Promise<void> {
    await this.ask(() => this.store.read(name));
  }

  hear(news: News): void {
    this.unheard.push(news);
    if (this.store.tellsAtOnce) this.catchUp();
  }

  catchUp(): void {
    const { unheard } = this;
    this.unheard = [];
    for (const news of unheard) this.take(news);
    if (unheard.length > 0) this.onChange?.();
  }

  report(error: unknown): void {
    this.errors.push(error);
  }

  timestamp(): string {
    return '2026-01-31T12:00:00Z';
  }

  async hasNode(name: string): Promise<boolean> {
    return this.store.nodes.has(name);
  }

  namespaceAnnotations(): Readonly<Record<string, string>> {
    return this.annotations;
  }

  inTurn(call: () => void): void {
    call();
  }

  private async ask(request: () => News): Promise<void> {
    let news: News | undefined;
    let error: unknown;
    await this.store.network(() => {
      try {
        news = request();
      } catch (thrown) {
        error = thrown;
      }
    }, this);
    if (error !== undefined) throw error;
    if (news === undefined) throw new Error('the network lost a request and said nothing');
    this.take(news);
    this.onChange?.();
  }

  private take({ name, revision, block }: News): void {
    if (revision < (this.revisions.get(name) ?? 0)) return;
    this.revisions.set(name, revision);
    if (block === undefined) this.blocks.delete(name);
    else this.blocks.set(name, block);
  }
}
