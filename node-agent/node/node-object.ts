/** The Node object that a node-agent registers; pure. */
import type { Node, NodeAddress, NodeCondition, NodeSystemInfo } from 'kubernetes-types/core/v1.d.ts';
import { ZONE_LABEL } from '../../shared/api/topology-hints.ts';

export interface NodeFacts {
  readonly name: string;
  /** Address in the emulated underlay: what kubectl shows as INTERNAL-IP. */
  readonly internalIp: string;
  readonly internalIpv6?: string;
  /** undefined: `local-a`, unless somebody labelled the node otherwise. */
  readonly zone?: string;
  readonly region: string;
  /** `amd64`, `arm64`: what the machine is. */
  readonly architecture: string;
  readonly kernelVersion: string;
  /** The same for the life of the node's name. */
  readonly machineId: string;
  /** Another one after every start of the node-agent. */
  readonly bootId: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly maxPods: number;
  /** Of a node that stands for a machine of a cloud. */
  readonly instanceType?: string;
}

export const KUBELET_VERSION = 'v1.32.0';
const DEFAULT_ZONE = 'local-a';
export const PODWIRE_VERSION = '0.1.0';

/**
 * What the scheduler reckons with. Amounts are shown, not enforced, so they do not follow the real machine; the number of
 * pods is what the node has addresses for.
 */
export function nodeCapacity(maxPods: number): Readonly<Record<string, string>> {
  return { cpu: '8', memory: '16Gi', 'ephemeral-storage': '100Gi', pods: String(maxPods) };
}

/** The object to create; its status is written as a patch of its own. */
export function nodeObject(facts: NodeFacts): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: facts.name,
      labels: { [ZONE_LABEL]: DEFAULT_ZONE, ...nodeLabels(facts) },
      annotations: { ...facts.annotations },
    },
    spec: {},
  };
}

/** What a node that comes back says anew. */
export function nodeLabels(facts: NodeFacts): Record<string, string> {
  return {
    'kubernetes.io/hostname': facts.name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': facts.architecture,
    'beta.kubernetes.io/os': 'linux',
    'beta.kubernetes.io/arch': facts.architecture,
    'topology.kubernetes.io/region': facts.region,
    ...(facts.instanceType === undefined ? {} : { 'node.kubernetes.io/instance-type': facts.instanceType }),
    ...(facts.zone === undefined ? {} : { [ZONE_LABEL]: facts.zone }),
  };
}

/** Everything of `status` but the conditions. */
export function nodeStatusBase(
  facts: NodeFacts,
): Record<string, unknown> & { readonly addresses: readonly NodeAddress[] } {
  const nodeInfo: NodeSystemInfo = {
    machineID: facts.machineId,
    systemUUID: facts.machineId,
    bootID: facts.bootId,
    kernelVersion: facts.kernelVersion,
    osImage: `Podwire ${PODWIRE_VERSION}`,
    containerRuntimeVersion: `podwire://${PODWIRE_VERSION}`,
    kubeletVersion: KUBELET_VERSION,
    kubeProxyVersion: KUBELET_VERSION,
    operatingSystem: 'linux',
    architecture: facts.architecture,
  };
  return {
    addresses: [
      { type: 'InternalIP', address: facts.internalIp },
      ...(facts.internalIpv6 === undefined ? [] : [{ type: 'InternalIP', address: facts.internalIpv6 }]),
      { type: 'Hostname', address: facts.name },
    ],
    capacity: nodeCapacity(facts.maxPods),
    allocatable: nodeCapacity(facts.maxPods),
    nodeInfo,
  };
}

export interface NetworkState {
  readonly ready: boolean;
  /** Set by the CNI plugin: who configured the network (`FlannelIsUp`), and in which words. */
  readonly reason: string;
  readonly message: string;
}

/** What a node without CNI says; users know it word for word. */
export const NETWORK_NOT_READY =
  'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady ' +
  'message:Network plugin returns error: cni plugin not initialized';

/** Conditions without time stamps. */
export function nodeConditions(network: NetworkState): NodeCondition[] {
  const ready: NodeCondition = network.ready
    ? { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' }
    : { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: NETWORK_NOT_READY };
  const conditions: NodeCondition[] = [
    sufficient('MemoryPressure', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
    sufficient('DiskPressure', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    sufficient('PIDPressure', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    ready,
  ];
  if (!network.ready) return conditions;
  const { reason, message } = network;
  return [{ type: 'NetworkUnavailable', status: 'False', reason, message }, ...conditions];
}

function sufficient(type: string, reason: string, message: string): NodeCondition {
  return { type, status: 'False', reason, message };
}

/** Conditions with the time of this report, and the time of their last change taken from the report before. */
export function stampConditions(
  conditions: readonly NodeCondition[],
  before: readonly NodeCondition[],
  time: string,
): NodeCondition[] {
  return conditions.map((condition) => {
    const old = before.find((candidate) => candidate.type === condition.type);
    const lastTransitionTime = old?.status === condition.status ? (old.lastTransitionTime ?? time) : time;
    return { ...condition, lastHeartbeatTime: time, lastTransitionTime };
  });
}
