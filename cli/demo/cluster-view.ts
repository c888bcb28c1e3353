/** What the demo watches: pods, nodes and endpoints as informers see them, and waiting for them to be in a state. */
import type { Node, Pod } from 'kubernetes-types/core/v1.js';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import { ENDPOINTSLICES, NODES, PODS } from '../../shared/api/resources.ts';
import type { Bus } from '../../shared/bus/connection.ts';
import { createInformer } from '../../shared/bus/informer.ts';
import { DEMO_NAMESPACE } from './manifests.ts';

export class DemoFailure extends Error {
  override readonly name = 'DemoFailure';
}

export class ClusterView {
  private readonly pods;
  private readonly nodes;
  private readonly slices;
  private readonly watchers = new Set<() => void>();

  constructor(bus: Bus) {
    this.pods = createInformer<Pod>(bus, PODS, { namespace: DEMO_NAMESPACE });
    this.nodes = createInformer<Node>(bus, NODES);
    this.slices = createInformer<EndpointSlice>(bus, ENDPOINTSLICES, { namespace: DEMO_NAMESPACE });
  }

  async start(): Promise<void> {
    const changed = (): void => {
      for (const watcher of this.watchers) watcher();
    };
    const handler = { added: changed, updated: changed, deleted: changed };
    this.pods.subscribe(handler);
    this.nodes.subscribe(handler);
    this.slices.subscribe(handler);
    await Promise.all([this.pods.start(), this.nodes.start(), this.slices.start()]);
  }

  stop(): void {
    for (const informer of [this.pods, this.nodes, this.slices]) informer.stop();
  }

  podsOf(app: string): Pod[] {
    return this.pods.list().filter((pod) => pod.metadata?.labels?.app === app);
  }

  /** Ready, not on their way out, on a node that is Ready. */
  readyPodsOf(app: string): Pod[] {
    return this.podsOf(app).filter(
      (pod) =>
        pod.metadata?.deletionTimestamp === undefined &&
        pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') &&
        this.nodeReady(pod.spec?.nodeName ?? ''),
    );
  }

  nodeReady(name: string): boolean {
    return (
      this.nodes.get(name)?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ??
      false
    );
  }

  /** Addresses that the Service sends new connections to. */
  readyEndpoints(service: string): string[] {
    return this.slices
      .list()
      .filter((slice) => slice.metadata?.labels?.['kubernetes.io/service-name'] === service)
      .flatMap((slice) => slice.endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready !== false)
      .flatMap(({ addresses }) => addresses);
  }

  /** Resolves when the condition holds; a DemoFailure, naming what was waited for, when it does not in time. */
  waitFor(what: string, limitMs: number, condition: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.watchers.delete(look);
      };
      const look = (): void => {
        if (!condition()) return;
        done();
        resolve();
      };
      const timer = setTimeout(() => {
        done();
        reject(new DemoFailure(`waited ${limitMs / 1000} s in vain for ${what}`));
      }, limitMs);
      this.watchers.add(look);
      look();
    });
  }
}
