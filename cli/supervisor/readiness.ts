/**
 * When a cluster counts as ready: every node says that it is, and all replicas of CoreDNS run and are Ready. What the store
 * holds from an earlier run says nothing: a node counts once it has spoken since the start, a pod once it was started since.
 */
import type { Deployment } from 'kubernetes-types/apps/v1.js';
import type { Node, Pod } from 'kubernetes-types/core/v1.js';
import { timeMs } from '../../shared/api/live.ts';
import { isPodReady } from '../../shared/api/pod-condition.ts';
import { DEPLOYMENTS, NODES, PODS } from '../../shared/api/resources.ts';
import type { Bus } from '../../shared/bus/connection.ts';
import { createInformer, type Informer } from '../../shared/bus/informer.ts';

const DNS_NAMESPACE = 'kube-system';
const DNS_DEPLOYMENT = 'coredns';
const DNS_LABEL = 'k8s-app';
const DNS_LABEL_VALUE = 'kube-dns';

function isDnsPod({ metadata }: Pod): boolean {
  return metadata?.labels?.[DNS_LABEL] === DNS_LABEL_VALUE;
}

export interface ReadinessOptions {
  readonly nodeNames: readonly string[];
  /** Without a CNI plugin nodes stay NotReady and no pod starts: then the nodes being registered is all to wait for. */
  readonly hasCni: boolean;
  /** Of this run of the cluster. */
  readonly startedAtMs: number;
  readonly listener: ReadinessListener;
}

export interface ReadinessListener {
  nodeReady(name: string): void;
  dnsAvailable(): void;
}

/** Since when objects count, to the second, as the API keeps times. */
function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}

/** Follows the cluster until it is ready. */
export class ClusterReadiness {
  /** Resolves when ready. */
  readonly ready: Promise<void>;
  private readonly nodeNames: readonly string[];
  private readonly sinceMs: number;
  private readonly needsDns: boolean;
  private readonly listener: ReadinessListener;
  private readonly nodes: Informer<Node>;
  private readonly deployments: Informer<Deployment>;
  private readonly pods: Informer<Pod>;
  private readonly told = new Set<string>();
  private readonly resolveReady: () => void;

  constructor(bus: Bus, options: ReadinessOptions) {
    this.nodeNames = options.nodeNames;
    this.needsDns = options.hasCni;
    this.sinceMs = wholeSecond(options.startedAtMs);
    this.listener = options.listener;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    this.resolveReady = resolve;
    this.nodes = createInformer<Node>(bus, NODES);
    this.deployments = createInformer<Deployment>(bus, DEPLOYMENTS, { namespace: DNS_NAMESPACE });
    this.pods = createInformer<Pod>(bus, PODS, { namespace: DNS_NAMESPACE });
    const look = (): void => this.look();
    this.nodes.subscribe({ added: look, updated: look });
    this.deployments.subscribe({ added: look, updated: look });
    this.pods.subscribe({ added: look, updated: look });
    for (const informer of [this.nodes, this.deployments, this.pods]) void informer.start();
  }

  /** What is still waited for, in words. */
  get missing(): string[] {
    const missing = this.nodeNames.filter((name) => !this.isNodeUp(name)).map((name) => `node ${name} to be Ready`);
    if (this.needsDns && !this.isDnsUp()) missing.push('CoreDNS to be available');
    return missing;
  }

  stop(): void {
    this.nodes.stop();
    this.deployments.stop();
    this.pods.stop();
  }

  private isNodeUp(name: string): boolean {
    const ready = this.nodes.get(name)?.status?.conditions?.find(({ type }) => type === 'Ready');
    if (ready === undefined || timeMs(ready.lastHeartbeatTime) < this.sinceMs) return false;
    return ready.status === 'True' || !this.needsDns;
  }

  private isDnsUp(): boolean {
    const deployment = this.deployments.get(DNS_DEPLOYMENT, DNS_NAMESPACE);
    if (deployment === undefined) return false;
    const up = this.pods.list().filter((pod) => isDnsPod(pod) && isPodReady(pod) && this.isStartedSince(pod));
    return up.length >= (deployment.spec?.replicas ?? 1);
  }

  private isStartedSince({ status }: Pod): boolean {
    const started = status?.containerStatuses?.map(({ state }) => timeMs(state?.running?.startedAt)) ?? [];
    return started.every((ms) => ms >= this.sinceMs);
  }

  private look(): void {
    for (const name of this.nodeNames) {
      if (this.isNodeUp(name)) this.tellOnce(name, () => this.listener.nodeReady(name));
    }
    if (this.isDnsUp()) this.tellOnce(DNS_DEPLOYMENT, () => this.listener.dnsAvailable());
    if (this.missing.length === 0) this.resolveReady();
  }

  private tellOnce(what: string, tell: () => void): void {
    if (this.told.has(what)) return;
    this.told.add(what);
    tell();
  }
}
