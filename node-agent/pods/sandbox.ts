/**
 * What a pod has before its first container: its network, its host name, the files by which names resolve. Set up in
 * order; what was set up is undone in reverse when a later step fails, and when the pod ends.
 */
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Host } from '../../shared/netstack/host.ts';
import type { PodNetwork } from '../../shared/podnet/pod-network.ts';
import type { PodSandbox } from './container-runtime.ts';
import { type ClusterDns, hostsFile, type NodeDns, podHostname, resolvConf } from './name-resolution.ts';
import { applySysctls } from './pod-sysctls.ts';
import type { RuntimeClasses } from './runtime-class.ts';

/** A pod's network namespace with its address. */
export interface PodAttachment {
  readonly host: Host;
  readonly network: PodNetwork;
  readonly address: string;
  /** Of a dual-stack pod. */
  readonly addressIpv6?: string;
  /** Idempotent. Removes devices, host ports and the address. */
  detach(): Promise<void>;
}

/** The kubelet's view of the CNI. */
export interface SandboxNetworks {
  /** Undefined when pods can be attached, else why not. */
  readonly notReadyReason: string | undefined;
  attach(pod: Pod): Promise<PodAttachment>;
  /** The root namespace, for pods of the host network. */
  readonly node: Omit<PodAttachment, 'detach'>;
}

/** The pod cannot be attached for lack of a CNI plugin; it is tried again as soon as there is one. */
export class NetworkNotReadyError extends Error {
  override readonly name = 'NetworkNotReadyError';
}

export interface SandboxOptions {
  readonly networks: SandboxNetworks;
  readonly nodeName: string;
  readonly clusterDns: ClusterDns;
  readonly nodeDns: NodeDns;
  readonly runtimeClasses: Pick<RuntimeClasses, 'handlerOf'>;
}

export interface CreatedSandbox {
  readonly sandbox: PodSandbox;
  destroy(): Promise<void>;
}

export async function createSandbox(pod: Pod, options: SandboxOptions): Promise<CreatedSandbox> {
  const handler = await options.runtimeClasses.handlerOf(pod);
  const attachment = await attach(pod, options.networks);
  try {
    applySysctls(pod, attachment.host);
    const sandbox = defaultSandbox(pod, attachment, options);
    if (handler === undefined) return { sandbox, destroy: () => attachment.detach() };
    const completed = await handler.complete(pod, sandbox);
    const destroy = async (): Promise<void> => {
      await completed.destroy();
      await attachment.detach();
    };
    return { sandbox: completed.sandbox, destroy };
  } catch (error) {
    await attachment.detach();
    throw error;
  }
}

function defaultSandbox(pod: Pod, attachment: PodAttachment, options: SandboxOptions): PodSandbox {
  const { nodeName, clusterDns, nodeDns } = options;
  const { namespace = 'default', name = '', uid = '' } = pod.metadata ?? {};
  return {
    podUid: uid,
    podName: name,
    namespace,
    nodeName,
    hostname: podHostname(pod, nodeName),
    podIp: attachment.address,
    podIpv6: attachment.addressIpv6,
    network: attachment.network,
    host: attachment.host,
    hostsFile: hostsFile(pod, addressesOf(attachment), nodeName, clusterDns),
    resolvConf: resolvConf(pod, clusterDns, nodeDns),
  };
}

function addressesOf({ address, addressIpv6 }: PodAttachment): string[] {
  return addressIpv6 === undefined ? [address] : [address, addressIpv6];
}

async function attach(pod: Pod, networks: SandboxNetworks): Promise<PodAttachment> {
  if (pod.spec?.hostNetwork) return { ...networks.node, detach: () => Promise.resolve() };
  if (networks.notReadyReason !== undefined) throw new NetworkNotReadyError(networks.notReadyReason);
  return networks.attach(pod);
}
