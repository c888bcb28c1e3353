/** The load balancer maps of a data path in eBPF (Cilium's kube-proxy replacement): frontends, each with its backends. */
import type { IpPrefix } from '../wire/ip-address.ts';
import type { ServiceProtocol } from './service-key.ts';

export const BPF_SERVICE_TYPES = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalIPs'] as const;
export type BpfServiceType = (typeof BPF_SERVICE_TYPES)[number];

export interface BpfBackend {
  /** uint32. */
  readonly address: number;
  readonly port: number;
}

export interface BpfServiceId {
  readonly protocol: ServiceProtocol;
  /** uint32; 0 is every address of a node (a node port). */
  readonly address: number;
  readonly port: number;
}

export interface BpfService extends BpfServiceId {
  readonly type: BpfServiceType;
  /** For sockets and pods of the node. */
  readonly internal: readonly BpfBackend[];
  /** For what comes in from outside; with the policy Local only backends of the node. */
  readonly external: readonly BpfBackend[];
  readonly affinitySeconds?: number;
  /** Who may come in from outside; absent: everyone. */
  readonly sourceRanges?: readonly IpPrefix[];
}

export interface BpfChange {
  readonly set?: readonly BpfService[];
  readonly delete?: readonly BpfServiceId[];
}
