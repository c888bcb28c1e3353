/** The loop over fakes of the API and the informers: a clock that tests own, no process, no network. */
import type { ReplicaSet } from 'kubernetes-types/apps/v1.js';
import { afterEach, describe, expect, it } from 'vitest';
import type { Live } from '../../shared/api/live.ts';
import type { KubeObject } from '../../shared/api/object.ts';
import { groupResourceText, type ResourceRef } from '../../shared/api/resource.ts';
import { EVENTS, PODS, REPLICASETS } from '../../shared/api/resources.ts';
import { conflict } from '../../shared/api/status.ts';
import type { ApiClient } from '../../shared/bus/api-client.ts';
import type { Informer, InformerHandler } from '../../shared/bus/informer.ts';
import { FakeClock } from '../../shared/runtime/clock.ts';
import { silentLogger } from '../../shared/runtime/log.ts';
import { type ControllerLoop, createLoop } from './controller.ts';
import { replicaSetController } from './controllers/workloads.ts';
import type { Informers } from './informers.ts';
import { meta, replicaSet } from './objects.testkit.ts';

type Cached = Live<KubeObject>;

class FakeInformer implements Informer<Cached> {
  readonly synced = true;
  revision = 0;
  readonly objects = new Map<string, Cached>();
  private readonly handlers: InformerHandler<Cached>[] = [];

  start(): Promise<void> {
    return Promise.resolve();
  }

  get(name: string, namespace?: string): Cached | undefined {
    return this.objects.get(`${namespace ?? ''}/${name}`);
  }

  list(): Cached[] {
    return [...this.objects.values()];
  }

  subscribe(handler: InformerHandler<Cached>): void {
    this.handlers.push(handler);
    for (const object of this.objects.values()) handler.added?.(object);
  }

  stop(): void {
    this.handlers.length = 0;
  }

  /** The event of a write arrives. */
  show(object: Cached): void {
    const key = `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
    const old = this.objects.get(key);
    this.objects.set(key, object);
    this.revision = Number(object.metadata.resourceVersion);
    for (const handler of this.handlers) {
      if (old === undefined) handler.added?.(object);
      else handler.updated?.(object, old);
    }
  }
}

/** Stores nothing by itself: writes come back through `show` when the test wants them to. */
class FakeCluster {
  readonly clock = new FakeClock();
  readonly written: { readonly resource: string; readonly object: Cached }[] = [];
  private readonly informers = new Map<string, FakeInformer>();
  private revision = 10;
  conflictsLeft = 0;

  informer(resource: ResourceRef): FakeInformer {
    const key = groupResourceText(resource);
    const known = this.informers.get(key) ?? new FakeInformer();
    this.informers.set(key, known);
    return known;
  }

  loop(): ControllerLoop {
    const informers = {
      of: (resource: ResourceRef) => this.informer(resource),
      find: (resource: ResourceRef) => this.informers.get(groupResourceText(resource)),
    } as unknown as Informers; // what the loop and its controllers use of it
    const write = (resource: ResourceRef, object: KubeObject): Promise<Cached> => {
      if (resource === EVENTS) return Promise.resolve(object as Cached);
      if (this.conflictsLeft-- > 0) return Promise.reject(conflict(resource, 'x'));
      const name = object.metadata.name ?? `${object.metadata.generateName}${this.written.length}`;
      const metadata = { ...meta(name), ...object.metadata, name, resourceVersion: String(++this.revision) };
      const stored = { ...object, metadata } as Cached;
      this.written.push({ resource: resource.resource, object: stored });
      return Promise.resolve(stored);
    };
    const api = { create: write, update: write, updateStatus: write } as unknown as ApiClient; // what this controller calls
    return createLoop(replicaSetController(informers), {
      api,
      eventApi: api,
      informers,
      clock: this.clock,
      log: silentLogger(),
    });
  }

  pods(): Cached[] {
    return this.written.filter(({ resource }) => resource === 'pods').map(({ object }) => object);
  }
}

let loop: ControllerLoop | undefined;
afterEach(() => loop?.stop());

function start(cluster: FakeCluster, replicas = 2): void {
  const set: Live<ReplicaSet> = replicaSet(replicas);
  cluster.informer(REPLICASETS).objects.set('default/web-1', set as unknown as Cached);
  loop = cluster.loop();
  loop.start();
}

/** Any event of the ReplicaSet. */
function showSet(cluster: FakeCluster): void {
  const set = { ...replicaSet(2), metadata: meta('web-1', { resourceVersion: '13' }) };
  cluster.informer(REPLICASETS).show(set as unknown as Cached);
}

describe('controller loop', () => {
  it('does not decide again before its own writes have been seen', async () => {
    const cluster = new FakeCluster();
    start(cluster);
    await cluster.clock.advance(50);
    expect(cluster.pods()).toHaveLength(2);
    // Another event, while the informer has shown nothing of the new pods.
    showSet(cluster);
    await cluster.clock.advance(200);
    expect(cluster.pods()).toHaveLength(2);
    for (const pod of cluster.pods()) cluster.informer(PODS).show(pod);
    await cluster.clock.advance(200);
    expect(cluster.pods()).toHaveLength(2);
    expect(cluster.written.at(-1)?.object).toMatchObject({ status: { replicas: 2 } } satisfies Partial<ReplicaSet>);
  });

  it('does not wait for ever for an event that was lost', async () => {
    const cluster = new FakeCluster();
    start(cluster);
    await cluster.clock.advance(50);
    showSet(cluster);
    await cluster.clock.advance(29_000);
    expect(cluster.pods()).toHaveLength(2);
    await cluster.clock.advance(2000);
    expect(cluster.pods().length).toBeGreaterThan(2);
  });

  it('looks again after a conflict', async () => {
    const cluster = new FakeCluster();
    cluster.conflictsLeft = 3;
    start(cluster, 1);
    await cluster.clock.advance(1000);
    expect(cluster.pods()).toHaveLength(1);
  });
});
