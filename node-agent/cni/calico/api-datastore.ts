/** calico's objects in the API: followed by informers, written by compare-and-swap through the API servers. */
import type { Namespace } from 'kubernetes-types/core/v1.d.ts';
import type { KubeObject } from '../../../shared/api/object.ts';
import { apiVersionOf } from '../../../shared/api/resource.ts';
import {
  CALICO_BGPCONFIGURATIONS,
  CALICO_BGPPEERS,
  CALICO_IPAMBLOCKS,
  CALICO_IPAMCONFIGS,
  CALICO_IPPOOLS,
  NAMESPACES,
  NODES,
} from '../../../shared/api/resources.ts';
import { isApiError } from '../../../shared/api/status.ts';
import { BusTimeoutError, BusUnavailableError } from '../../../shared/bus/bus-error.ts';
import { createInformer, type Informer } from '../../../shared/bus/informer.ts';
import type { ClusterAccess } from '../cluster-access.ts';
import type { CalicoDatastore } from './datastore.ts';
import { type Block, type BlockSpec, blockName, blockOf } from './ipam/block.ts';
import { type IpPool, type IpPoolObject, ipPoolOf } from './ipam/ip-pool.ts';
import { IpamConflictError } from './ipam/ipam-store.ts';
import type { BgpConfiguration, BgpPeer } from './peerings.ts';

interface BlockObject extends KubeObject {
  readonly spec?: unknown;
}

interface IpamConfigObject extends KubeObject {
  readonly spec?: { readonly strictAffinity?: boolean };
}

interface BgpObject<Spec> extends KubeObject {
  readonly spec?: Spec;
}

/** Of the cluster's one IPAMConfig and BGPConfiguration. */
const CONFIG_NAME = 'default';

export class ApiDatastore implements CalicoDatastore {
  readonly blocks = new Map<string, Block>();
  nodeLabels: Readonly<Record<string, string>> = {};
  onChange: (() => void) | null = null;
  private readonly access: ClusterAccess;
  private readonly blockObjects: Informer<BlockObject>;
  private readonly poolObjects: Informer<IpPoolObject>;
  private readonly configs: Informer<IpamConfigObject>;
  private readonly bgpConfigurations: Informer<BgpObject<BgpConfiguration>>;
  private readonly bgpPeerObjects: Informer<BgpObject<Omit<BgpPeer, 'name'>>>;
  private readonly namespaces: Informer<Namespace>;
  /** Of each block the newest revision that is known, deletions included: older news is none. */
  private readonly revisions = new Map<string, number>();
  private started: Promise<void> | undefined;
  private readonly firstPool = Promise.withResolvers<void>();

  constructor(access: ClusterAccess) {
    const { bus } = access;
    this.access = access;
    this.blockObjects = createInformer<BlockObject>(bus, CALICO_IPAMBLOCKS);
    this.poolObjects = createInformer<IpPoolObject>(bus, CALICO_IPPOOLS);
    this.configs = createInformer<IpamConfigObject>(bus, CALICO_IPAMCONFIGS);
    this.bgpConfigurations = createInformer<BgpObject<BgpConfiguration>>(bus, CALICO_BGPCONFIGURATIONS);
    this.bgpPeerObjects = createInformer<BgpObject<Omit<BgpPeer, 'name'>>>(bus, CALICO_BGPPEERS);
    this.namespaces = createInformer<Namespace>(bus, NAMESPACES, { transform: trimmedNamespace });
  }

  get pools(): readonly IpPool[] {
    return this.poolObjects.list().flatMap((object) => ipPoolOf(object) ?? []);
  }

  get strictAffinity(): boolean {
    return this.configs.get(CONFIG_NAME)?.spec?.strictAffinity ?? false;
  }

  get bgpConfiguration(): BgpConfiguration {
    return this.bgpConfigurations.get(CONFIG_NAME)?.spec ?? {};
  }

  get bgpPeers(): readonly BgpPeer[] {
    const peers = this.bgpPeerObjects.list().map(({ metadata, spec }) => ({ ...spec, name: metadata.name ?? '' }));
    return peers.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  start(): Promise<void> {
    this.started ??= this.follow();
    return this.started;
  }

  report(error: unknown): void {
    this.access.log.warn({ error }, 'calico could not take or free addresses, and tries again');
  }

  private async follow(): Promise<void> {
    const seen = (object: BlockObject) => this.seen(object);
    const changed = () => this.changed();
    this.blockObjects.subscribe({ added: seen, updated: seen, deleted: (object) => this.gone(object) });
    const pool = (): void => {
      this.firstPool.resolve();
      this.changed();
    };
    this.poolObjects.subscribe({ added: pool, updated: pool, deleted: changed });
    const plain = [this.configs, this.bgpConfigurations, this.bgpPeerObjects];
    for (const informer of plain) informer.subscribe({ added: changed, updated: changed, deleted: changed });
    const informers = [this.blockObjects, this.poolObjects, ...plain, this.namespaces];
    this.access.onStop('calico datastore', () => {
      for (const informer of informers) informer.stop();
    });
    await Promise.all([...informers.map((informer) => informer.start()), this.firstPool.promise]);
  }

  timestamp(): string {
    return new Date(this.access.clock.nowMs()).toISOString().replace(/\.\d+Z$/, 'Z');
  }

  namespaceAnnotations(namespace: string): Readonly<Record<string, string>> {
    return this.namespaces.get(namespace)?.metadata?.annotations ?? {};
  }

  async hasNode(name: string): Promise<boolean> {
    try {
      await this.access.api.get(NODES, name);
      return true;
    } catch (error) {
      if (isApiError(error, 'NotFound')) return false;
      throw error;
    }
  }

  inTurn(call: () => void): void {
    this.access.inTurn(call);
  }

  async write(block: Block): Promise<void> {
    const { api } = this.access;
    const object = blockObject(block);
    if (block.resourceVersion === undefined) {
      await this.attempt(
        async () => this.seen(await api.create<BlockObject>(CALICO_IPAMBLOCKS, object)),
        'AlreadyExists',
      );
    } else {
      await this.attempt(async () => this.seen(await api.update<BlockObject>(CALICO_IPAMBLOCKS, object)), 'NotFound');
    }
  }

  async delete(block: Block): Promise<void> {
    const { resourceVersion } = block;
    if (resourceVersion === undefined) return;
    const name = blockName(block.prefix);
    await this.attempt(
      () => this.access.api.delete(CALICO_IPAMBLOCKS, name, undefined, { resourceVersion }),
      'NotFound',
    );
    this.forget(name, Number(resourceVersion));
  }

  async refresh(name: string): Promise<void> {
    const known = this.revisions.get(name) ?? 0;
    try {
      this.seen(await this.access.api.get<BlockObject>(CALICO_IPAMBLOCKS, name));
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
      this.forget(name, known);
    }
  }

  /** `other`: what else tells that the block is not as it was known. */
  private async attempt(write: () => Promise<void>, other: 'AlreadyExists' | 'NotFound'): Promise<void> {
    try {
      await write();
    } catch (error) {
      const isUnknown =
        error instanceof BusTimeoutError || (error instanceof BusUnavailableError && error.maybeDelivered);
      if (isUnknown || isApiError(error, 'Conflict') || isApiError(error, other))
        throw new IpamConflictError(error.message);
      throw error;
    }
  }

  private seen(object: BlockObject): void {
    const { name = '', resourceVersion = '0' } = object.metadata ?? {};
    const revision = Number(resourceVersion);
    if (revision <= (this.revisions.get(name) ?? 0)) return;
    this.revisions.set(name, revision);
    const block = blockOf(object.spec, resourceVersion);
    if (block === undefined) this.blocks.delete(name);
    else this.blocks.set(name, block);
    this.changed();
  }

  private gone({ metadata }: BlockObject): void {
    this.forget(metadata?.name ?? '', Number(metadata?.resourceVersion ?? 0));
  }

  /** A block that was made anew since is another one. */
  private forget(name: string, revision: number): void {
    if (revision < (this.revisions.get(name) ?? 0)) return;
    this.revisions.set(name, revision);
    if (this.blocks.delete(name)) this.changed();
  }

  private changed(): void {
    this.access.inTurn(() => this.onChange?.());
  }
}

function blockObject({ prefix, spec, resourceVersion }: Block): BlockObject & { readonly spec: BlockSpec } {
  return {
    apiVersion: apiVersionOf(CALICO_IPAMBLOCKS),
    kind: CALICO_IPAMBLOCKS.kind,
    metadata: { name: blockName(prefix), ...(resourceVersion === undefined ? {} : { resourceVersion }) },
    spec,
  };
}

function trimmedNamespace({ metadata }: Namespace): Namespace {
  return { metadata: { name: metadata?.name, annotations: metadata?.annotations } };
}
