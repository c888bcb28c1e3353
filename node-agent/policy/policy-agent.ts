/**
 * Keeps a node's policy engine what the cluster's policies say it is.
 *
 *   policies, Pods, Namespaces, Nodes -> gathered changes -> compile -> the engine, one program at once
 *   a pod is plugged in               -> its part at once, before its first packet
 */
import type { Namespace, Node, Pod } from 'kubernetes-types/core/v1.d.ts';
import { isSame } from '../../shared/api/json-equality.ts';
import { NAMESPACES, NODES, PODS } from '../../shared/api/resources.ts';
import type { Bus } from '../../shared/bus/connection.ts';
import { createInformer, type Informer } from '../../shared/bus/informer.ts';
import { type EnforcementMode, inMode } from '../../shared/policy/cilium-enforcement.ts';
import { type ClusterState, PolicyCompiler } from '../../shared/policy/compile.ts';
import type { EndpointPolicy } from '../../shared/policy/endpoint-policy.ts';
import type { NamePattern } from '../../shared/policy/l7-rules.ts';
import { CILIUM_ROUTING_ANNOTATION, policyNodeOf } from '../../shared/policy/policy-node.ts';
import { type PolicyPod, policyPodOf } from '../../shared/policy/policy-pod.ts';
import { BoundedRunner } from '../../shared/runtime/bounded-runner.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { PolicyApi } from '../../shared/runtime/cni-plugins.ts';
import type { PolicyEngine } from '../datapath/policy/policy-engine.ts';
import { type PolicySource, policySources } from './policy-sources.ts';

/** Between two programs; two may follow each other at once. */
const MIN_INTERVAL_MS = 25;
/** Nothing is lost that a later look would find. */
const RESYNC_MS = 300_000;

export interface PolicyAgentOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly engine: PolicyEngine;
  /** Runs a call as a turn of the event loop. */
  readonly inTurn: (call: () => void) => void;
  /** APIs beyond NetworkPolicy. */
  readonly apis: readonly PolicyApi[];
  /** Of a node of cilium, whose policies speak of identities: its own API too, and blocks are outside. */
  readonly cilium?: CiliumPolicyOptions;
  /** Told of all that policies are made of, within the turn in which they are put in force; `here`: pods of this node. */
  readonly followed?: (state: ClusterState, here: readonly PolicyPod[]) => void;
}

export interface CiliumPolicyOptions {
  readonly nodeName: string;
  /** Told of all pods of the cluster, with the labels of their namespaces, whenever something changed. */
  readonly identities: IdentityFollower;
  /** What DNS told this node's pods. */
  readonly names: KnownNames;
  readonly enforcement: EnforcementMode;
}

export interface KnownNames {
  /** Told within a turn, and the policies are to be in force when it returns. */
  onChange: (() => void) | null;
  addressesOf(pattern: NamePattern): readonly string[];
}

export interface IdentityFollower {
  start(): Promise<void>;
  stop(): void;
  follow(pods: readonly PolicyPod[], here: ReadonlySet<string>, namespaces: ClusterState['namespaces']): void;
}

export class PolicyAgent {
  private readonly options: PolicyAgentOptions;
  private readonly sources: readonly PolicySource[];
  private readonly pods: Informer<Pod>;
  private readonly namespaces: Informer<Namespace>;
  private readonly nodes: Informer<Node>;
  private readonly runner: BoundedRunner;
  /** Pods that are plugged in here, with addresses that the API may not know yet. */
  private readonly attached = new Map<string, PolicyPod>();

  /** Some rule that is in force means names: what DNS tells changes nothing else. */
  private asksForNames = false;

  constructor(options: PolicyAgentOptions) {
    const { bus, clock } = options;
    this.options = options;
    this.sources = policySources(bus, options.apis, options.cilium?.nodeName);
    this.pods = createInformer<Pod>(bus, PODS, { transform: trimmedPod });
    this.namespaces = createInformer<Namespace>(bus, NAMESPACES, { transform: trimmedNamespace });
    this.nodes = createInformer<Node>(bus, NODES, { transform: trimmedNode });
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
    await Promise.all([...this.informers.map((informer) => informer.start()), this.options.cilium?.identities.start()]);
    const request = () => this.runner.request();
    for (const informer of this.informers) {
      const updated = (object: unknown, old: unknown): void => {
        if (!isSame(object, old)) request();
      };
      informer.subscribe({ added: request, updated, deleted: request });
    }
    const { cilium } = this.options;
    if (cilium !== undefined) {
      cilium.names.onChange = () => {
        if (this.asksForNames) this.program();
      };
    }
    this.program();
  }

  /** Called within the turn that plugs the pod in: no packet of it comes before its policy. */
  attach(pod: Pod, addresses: readonly number[]): void {
    const known = { ...policyPodOf(pod), addresses };
    this.attached.set(known.uid, known);
    this.runner.request(); // for those whose policies name it
    const policy = new PolicyCompiler(this.state()).endpoint(known);
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
    const { cilium } = this.options;
    if (cilium !== undefined) cilium.names.onChange = null;
    cilium?.identities.stop();
    for (const informer of this.informers) informer.stop();
  }

  private get informers(): readonly Informer<unknown>[] {
    return [this.pods, this.namespaces, this.nodes, ...this.sources.flatMap(({ informers }) => informers)];
  }

  private program(): boolean {
    const state = this.state();
    const compiler = new PolicyCompiler(state);
    this.asksForNames = state.policies.some(({ egress }) =>
      egress?.some(({ peers }) => peers?.some((peer) => 'names' in peer)),
    );
    const endpoints = new Map<number, EndpointPolicy>();
    for (const pod of this.attached.values()) {
      const policy = compiler.endpoint(this.withPresentLabels(pod));
      if (policy === undefined) continue;
      for (const address of pod.addresses) endpoints.set(address, policy);
    }
    this.options.inTurn(() => {
      this.options.engine.program(endpoints);
      this.options.followed?.(
        state,
        state.pods.filter(({ uid }) => this.attached.has(uid)),
      );
      this.options.cilium?.identities.follow(state.pods, new Set(this.attached.keys()), state.namespaces);
    });
    return true;
  }

  /** Of the cluster; those that are plugged in here with the addresses that they have. */
  knownPods(): readonly PolicyPod[] {
    const pods = this.pods
      .list()
      .map(policyPodOf)
      .filter(({ uid }) => !this.attached.has(uid));
    const here = [...this.attached.values()].map((pod) => this.withPresentLabels(pod));
    return [...pods, ...here];
  }

  private state(): ClusterState {
    const namespaces = new Map(
      this.namespaces.list().map(({ metadata }) => [metadata?.name ?? '', metadata?.labels ?? {}] as const),
    );
    return {
      policies: inMode(
        this.sources.flatMap(({ list }) => list(namespaces)),
        this.options.cilium?.enforcement ?? 'default',
      ),
      nodes: this.nodes.list().map(policyNodeOf),
      pods: this.knownPods(),
      namespaces,
      blocksAreOutside: this.options.cilium !== undefined,
      addressesOfNames: (pattern) => this.options.cilium?.names.addressesOf(pattern) ?? [],
    };
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
      serviceAccountName: spec?.serviceAccountName,
      hostNetwork: spec?.hostNetwork,
      containers: (spec?.containers ?? []).map(({ name, ports }) => ({ name, ports })),
    },
    status: { phase: status?.phase, podIP: status?.podIP, podIPs: status?.podIPs },
  };
}

function trimmedNamespace({ metadata }: Namespace): Namespace {
  return { metadata: { name: metadata?.name, labels: metadata?.labels } };
}

function trimmedNode({ metadata, spec, status }: Node): Node {
  const { name, labels, annotations = {} } = metadata ?? {};
  const kept = Object.entries(annotations).filter(([key]) => key === CILIUM_ROUTING_ANNOTATION);
  return {
    metadata: { name, labels, annotations: Object.fromEntries(kept) },
    spec: { podCIDR: spec?.podCIDR },
    status: { addresses: status?.addresses },
  };
}
