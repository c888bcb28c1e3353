/** When a cluster counts as ready: every node's Ready condition is true and CoreDNS has all its replicas available. */
import type { Deployment } from 'kubernetes-types/apps/v1.js';
import type { Node } from 'kubernetes-types/core/v1.js';
import { DEPLOYMENTS, NODES } from '../../shared/api/resources.ts';
import type { Bus } from '../../shared/bus/connection.ts';
import { createInformer, type Informer } from '../../shared/bus/informer.ts';

const DNS_NAMESPACE = 'kube-system';
const DNS_DEPLOYMENT = 'coredns';

export interface ReadinessListener {
  nodeReady(name: string): void;
  dnsAvailable(): void;
}

export function isNodeReady(node: Node): boolean {
  return node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

function isDnsAvailable(deployment: Deployment): boolean {
  const wanted = deployment.spec?.replicas ?? 1;
  return (deployment.status?.availableReplicas ?? 0) >= wanted;
}

/** Follows the cluster until it is ready. */
export class ClusterReadiness {
  /** Resolves when ready. */
  readonly ready: Promise<void>;
  private readonly nodeNames: readonly string[];
  private readonly needsDns: boolean;
  private readonly listener: ReadinessListener;
  private readonly nodes: Informer<Node>;
  private readonly deployments: Informer<Deployment>;
  private readonly told = new Set<string>();
  private readonly resolveReady: () => void;

  /** Without a CNI plugin nodes stay NotReady and no pod starts: then the nodes being registered is all to wait for. */
  constructor(bus: Bus, nodeNames: readonly string[], hasCni: boolean, listener: ReadinessListener) {
    this.nodeNames = nodeNames;
    this.needsDns = hasCni;
    this.listener = listener;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    this.resolveReady = resolve;
    this.nodes = createInformer<Node>(bus, NODES);
    this.deployments = createInformer<Deployment>(bus, DEPLOYMENTS, { namespace: DNS_NAMESPACE });
    const look = (): void => this.look();
    this.nodes.subscribe({ added: look, updated: look });
    this.deployments.subscribe({ added: look, updated: look });
    void this.nodes.start();
    void this.deployments.start();
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
  }

  private isNodeUp(name: string): boolean {
    const node = this.nodes.get(name);
    return node !== undefined && (isNodeReady(node) || !this.needsDns);
  }

  private isDnsUp(): boolean {
    const deployment = this.deployments.get(DNS_DEPLOYMENT, DNS_NAMESPACE);
    return deployment !== undefined && isDnsAvailable(deployment);
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
