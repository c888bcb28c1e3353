/**
 * Identities for labels: CiliumIdentity objects, whose names are the numbers. A node makes those of its own pods where no node
 * has yet, and all nodes know them all.
 */
import type { KubeObject } from '../../../shared/api/object.ts';
import { CILIUMIDENTITIES } from '../../../shared/api/resources.ts';
import { isApiError } from '../../../shared/api/status.ts';
import type { ApiClient } from '../../../shared/bus/api-client.ts';
import { BusTimeoutError, BusUnavailableError } from '../../../shared/bus/bus-error.ts';
import type { Bus } from '../../../shared/bus/connection.ts';
import { createInformer, type Informer } from '../../../shared/bus/informer.ts';
import { BoundedRunner } from '../../../shared/runtime/bounded-runner.ts';
import type { Clock } from '../../../shared/runtime/clock.ts';
import type { EndpointDirectory, Labels } from '../../datapath/cilium/endpoint-directory.ts';
import { MAX_POD_IDENTITY, MIN_POD_IDENTITY } from '../../datapath/cilium/identity.ts';
import type { EndpointObjects } from './endpoint-objects.ts';

const MIN_INTERVAL_MS = 25;
const RESYNC_MS = 300_000;
/** The definition of the resource may not be there yet. */
const RETRY_MS = 500;

interface CiliumIdentity extends KubeObject {
  readonly 'security-labels'?: Labels;
}

export interface IdentityAgentOptions {
  readonly bus: Bus;
  readonly api: ApiClient;
  readonly clock: Clock;
  readonly directory: EndpointDirectory;
  readonly endpoints: EndpointObjects;
  /** In [0, 1). */
  readonly random: () => number;
}

type Followed = Parameters<EndpointDirectory['follow']>;

export class IdentityAgent {
  private readonly options: IdentityAgentOptions;
  private readonly informer: Informer<CiliumIdentity>;
  private readonly runner: BoundedRunner;
  private latest: Followed = [[], new Set(), new Map()];

  constructor(options: IdentityAgentOptions) {
    this.options = options;
    this.informer = createInformer<CiliumIdentity>(options.bus, CILIUMIDENTITIES);
    this.runner = new BoundedRunner({
      clock: options.clock,
      run: () => this.run(),
      minIntervalMs: MIN_INTERVAL_MS,
      maxIntervalMs: RESYNC_MS,
      retryMs: RETRY_MS,
    });
  }

  async start(): Promise<void> {
    const { directory } = this.options;
    const set = (object: CiliumIdentity): void => {
      directory.setIdentity(Number(object.metadata?.name), object['security-labels'] ?? {});
      this.runner.request();
    };
    const deleted = ({ metadata }: CiliumIdentity): void => {
      directory.deleteIdentity(Number(metadata?.name));
      this.runner.request();
    };
    this.informer.subscribe({ added: set, updated: set, deleted });
    await this.informer.start();
  }

  /** The pods of the cluster, the uids of those that are here, and the labels of namespaces. */
  follow(...now: Followed): void {
    this.latest = now;
    this.runner.request();
  }

  stop(): void {
    this.runner.stop();
    this.informer.stop();
  }

  /** False asks for another try. */
  private async run(): Promise<boolean> {
    const missing = this.options.directory.follow(...this.latest);
    const made = await Promise.all(missing.map((labels) => this.create(labels)));
    const shown = await this.options.endpoints.sync();
    return made.every(Boolean) && shown;
  }

  private async create(labels: Labels): Promise<boolean> {
    const { api, directory, random } = this.options;
    let number = MIN_POD_IDENTITY + Math.floor(random() * (MAX_POD_IDENTITY - MIN_POD_IDENTITY + 1));
    while (directory.hasIdentity(number)) number = number === MAX_POD_IDENTITY ? MIN_POD_IDENTITY : number + 1;
    const { kind, group, version } = CILIUMIDENTITIES;
    const object = {
      apiVersion: `${group}/${version}`,
      kind,
      metadata: { name: `${number}` },
      'security-labels': labels,
    };
    try {
      await api.create(CILIUMIDENTITIES, object);
      return true;
    } catch (error) {
      // Another node took the number, or nobody can write now.
      if (isApiError(error) || error instanceof BusTimeoutError || error instanceof BusUnavailableError) return false;
      throw error;
    }
  }
}
