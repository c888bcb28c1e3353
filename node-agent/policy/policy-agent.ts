/**
 * Keeps a node's policy engine what the cluster's policies say it is.
 *
 *   policies, Pods, Namespaces, Nodes -> gathered changes -> compile -> the engine, one program at once
 *   a pod is plugged in               -> its part at once, before its first packet
 */
import type { Namespace, Node, Pod } from 'kubernetes-types/core/v1.d.ts';
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.d.ts';
import { isSame } from '../../shared/api/json-equality.ts';
import type { ResourceRef } from '../../shared/api/resource.ts';
import {
  ADMINNETWORKPOLICIES,
  BASELINEADMINNETWORKPOLICIES,
  CLUSTERNETWORKPOLICIES,
  NAMESPACES,
  NETWORKPOLICIES,
  NODES,
  PODS,
} from '../../shared/api/resources.ts';
import type { Bus } from '../../shared/bus/connection.ts';
import { createInformer, type Informer } from '../../shared/bus/informer.ts';
import { type ClusterPolicyObject, clusterPolicyOf } from '../../shared/policy/cluster-policy.ts';
import { PolicyCompiler } from '../../shared/policy/compile.ts';
import type { EndpointPolicy } from '../../shared/policy/endpoint-policy.ts';
import { policyOf } from '../../shared/policy/network-policy.ts';
import { policyNodeOf } from '../../shared/policy/policy-node.ts';
import { type PolicyPod, policyPodOf } from '../../shared/policy/policy-pod.ts';
import { BoundedRunner } from '../../shared/runtime/bounded-runner.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { PolicyEngine } from '../datapath/policy/policy-engine.ts';

/** Between two programs; two may follow each other at once. */
const MIN_INTERVAL_MS = 25;
/** Nothing is lost that a later look would find. */
const RESYNC_MS = 300_000;

const CLUSTER_POLICIES: readonly ResourceRef[] = [
  ADMINNETWORKPOLICIES,
  BASELINEADMINNETWORKPOLICIES,
  CLUSTERNETWORKPOLICIES,
];

interface ClusterPolicies {
  readonly kind: string;
  readonly informer: Informer<ClusterPolicyObject>;
}

export interface PolicyAgentOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly engine: PolicyEngine;
  /** Runs a call as a turn of the event loop. */
  readonly inTurn: (call: () => void) => void;
}

export class PolicyAgent {
  private readonly options: PolicyAgentOptions;
  private readonly policies: Informer<NetworkPolicy>;
  private readonly pods: Informer<Pod>;
  private readonly namespaces: Informer<Namespace>;
  private readonly nodes: Informer<Node>;
  private readonly clusterPolicies: readonly ClusterPolicies[];
  private readonly runner: BoundedRunner;
  /** Pods that are plugged in here, with addresses that the API may not know yet. */
  private readonly attached = new Map<string, PolicyPod>();

  constructor(options: PolicyAgentOptions) {
    const { bus, clock } = options;
    this.options = options;
    this.policies = createInformer<NetworkPolicy>(bus, NETWORKPOLICIES);
    this.pods = createInformer<Pod>(bus, PODS, { transform: trimmedPod });
    this.namespaces = createInformer<Namespace>(bus, NAMESPACES, { transform: trimmedNamespace });
    this.nodes = createInformer<Node>(bus, NODES, { transform: trimmedNode });
    this.clusterPolicies = CLUSTER_POLICIES.map((resource) => ({
      kind: resource.kind,
      informer: createInformer<ClusterPolicyObject>(bus, resource),
    }));
    this.runner = new BoundedRunner({
      clock,
      run: async () => this.program(),
      minIntervalMs: MIN_INTERVAL_MS,
      maxIntervalMs: RESYNC_MS,
      retryMs: MIN_INTERVAL_MS,
    });
  }

  /** Resolves when the policies there are now are in force. */
  async start(): Promise<void> {
    await Promise.all(this.informers.map((informer) => informer.start()));
    const request = () => this.runner.request();
    for (const informer of this.informers) {
      const updated = (object: unknown, old: unknown): void => {
        if (!isSame(object, old)) request();
      };
      informer.subscribe({ added: request, updated, deleted: request });
    }
    this.program();
  }

  /** Called within the turn that plugs the pod in: no packet of it comes before its policy. */
  attach(pod: Pod, addresses: readonly number[]): void {
    const known = { ...policyPodOf(pod), addresses };
    this.attached.set(known.uid, known);
    this.runner.request(); // for those whose policies name it
    const policy = this.compiler().endpoint(known);
    for (const address of addresses) this.options.engine.programEndpoint(address, policy);
  }

  detach(uid: string): void {
    for (const address of this.attached.get(uid)?.addresses ?? []) {
      this.options.engine.programEndpoint(address, undefined);
    }
    this.attached.delete(uid);
  }

  stop(): void {
    this.runner.stop();
    for (const informer of this.informers) informer.stop();
  }

  private get informers(): readonly Informer<unknown>[] {
    const clusterPolicies = this.clusterPolicies.map(({ informer }) => informer);
    return [this.policies, this.pods, this.namespaces, this.nodes, ...clusterPolicies];
  }

  private program(): boolean {
    const compiler = this.compiler();
    const endpoints = new Map<number, EndpointPolicy>();
    for (const pod of this.attached.values()) {
      const policy = compiler.endpoint(this.withPresentLabels(pod));
      if (policy === undefined) continue;
      for (const address of pod.addresses) endpoints.set(address, policy);
    }
    this.options.inTurn(() => this.options.engine.program(endpoints));
    return true;
  }

  private compiler(): PolicyCompiler {
    const pods = this.pods
      .list()
      .map(policyPodOf)
      .filter(({ uid }) => !this.attached.has(uid));
    const here = [...this.attached.values()].map((pod) => this.withPresentLabels(pod));
    return new PolicyCompiler({
      policies: [
        ...this.policies.list().map(policyOf),
        ...this.clusterPolicies.flatMap(({ kind, informer }) =>
          informer.list().map((one) => clusterPolicyOf(kind, one)),
        ),
      ],
      nodes: this.nodes.list().map(policyNodeOf),
      pods: [...pods, ...here],
      namespaces: new Map(
        this.namespaces.list().map(({ metadata }) => [metadata?.name ?? '', metadata?.labels ?? {}] as const),
      ),
    });
  }

  /** Labels may change while a pod runs; its address is what it was given. */
  private withPresentLabels(pod: PolicyPod): PolicyPod {
    const labels = this.pods.get(pod.name, pod.namespace)?.metadata?.labels;
    return labels === undefined ? pod : { ...pod, labels };
  }
}

function trimmedPod({ metadata, spec, status }: Pod): Pod {
  return {
    metadata: { uid: metadata?.uid, namespace: metadata?.namespace, name: metadata?.name, labels: metadata?.labels },
    spec: {
      nodeName: spec?.nodeName,
      hostNetwork: spec?.hostNetwork,
      containers: (spec?.containers ?? []).map(({ name, ports }) => ({ name, ports })),
    },
    status: { phase: status?.phase, podIP: status?.podIP, podIPs: status?.podIPs },
  };
}

function trimmedNamespace({ metadata }: Namespace): Namespace {
  return { metadata: { name: metadata?.name, labels: metadata?.labels } };
}

function trimmedNode({ metadata, status }: Node): Node {
  return { metadata: { name: metadata?.name, labels: metadata?.labels }, status: { addresses: status?.addresses } };
}
