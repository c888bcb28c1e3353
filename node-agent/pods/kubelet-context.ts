/** What all pod workers of a node share. */
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { ApiClient } from '../../shared/bus/api-client.ts';
import type { EventRecorder } from '../../shared/bus/event-recorder.ts';
import type { PodNetwork } from '../../shared/podnet/pod-network.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Logger } from '../../shared/runtime/log.ts';
import type { ContainerRuntime } from './container-runtime.ts';
import type { NodeFacts } from './downward-api.ts';
import type { ReferencedObjects } from './environment.ts';
import type { ClusterDns, NodeDns } from './name-resolution.ts';
import type { NodeFolders } from './node-folders.ts';
import type { PodLogs } from './pod-logs.ts';
import type { RuntimeClasses } from './runtime-class.ts';
import type { SandboxNetworks } from './sandbox.ts';
import type { ServiceAccountTokens } from './service-account-tokens.ts';

export interface KubeletContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly api: ApiClient;
  readonly events: EventRecorder;
  readonly nodeName: string;
  readonly hostIp: string;
  /** In a dual-stack cluster. */
  readonly hostIpv6?: string;
  /** Node's allocatable amounts by name. */
  readonly allocatable: NodeFacts['allocatable'];
  readonly clusterDns: ClusterDns;
  readonly nodeDns: NodeDns;
  readonly objects: ReferencedObjects & { load(pod: Pod): Promise<void> };
  readonly tokens: ServiceAccountTokens;
  readonly networks: SandboxNetworks;
  /** In the order in which they are asked for an image. */
  readonly runtimes: readonly ContainerRuntime[];
  readonly runtimeClasses: Pick<RuntimeClasses, 'handlerOf'>;
  /** Folders of the emulated node that hostPath volumes may be. */
  readonly nodeFolders: Pick<NodeFolders, 'find'>;
  /** Folders of the machine that hostPath volumes may be. */
  readonly allowedHostPaths: readonly string[];
  readonly logs: PodLogs;
  /** The node's own network: probes and hooks leave from it. */
  readonly nodeNetwork: PodNetwork;
  /** 64 hexadecimal digits. */
  readonly newContainerId: () => string;
}

export const RUNTIME_NAME = 'podwire';
