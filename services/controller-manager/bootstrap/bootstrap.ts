/** Creates what a cluster cannot do without where it is absent; what is there is the user's and stays as it is. */
import type { ConfigMap } from 'kubernetes-types/core/v1.js';
import { CONFIGMAPS, DEPLOYMENTS, NAMESPACES } from '../../../shared/api/resources.ts';
import { isApiError } from '../../../shared/api/status.ts';
import type { ApiClient } from '../../../shared/bus/api-client.ts';
import type { Clock } from '../../../shared/runtime/clock.ts';
import type { CniPluginName } from '../../../shared/runtime/cni-plugins.ts';
import type { ClusterConfig } from '../../../shared/runtime/config.ts';
import type { Logger } from '../../../shared/runtime/log.ts';
import { corednsManifests } from './coredns.ts';
import { kubeProxyManifests } from './kube-proxy.ts';
import type { Manifest } from './manifest.ts';
import { networkManifests } from './network-resources.ts';
import { netnsRuntimeClass } from './runtime-class.ts';

const SYSTEM_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];
const RETRY_MS = 200;
/** Says that a cluster was set up once, and for which networks: what its user deleted afterwards stays deleted. */
const MARKER = 'podwire-bootstrap';

export interface BootstrapOptions {
  readonly api: ApiClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly config: ClusterConfig;
  /** Nodes that pods can be placed on now. */
  readonly placeableNodes: () => number;
}

/** DNS waits for a second node so long after the first, so that its replicas do not both land on the one that was faster. */
const SECOND_NODE_WAIT_MS = 1500;
const NODE_POLL_MS = 20;

export async function bootstrapCluster(options: BootstrapOptions): Promise<void> {
  const { config } = options;
  await createAll(options, SYSTEM_NAMESPACES.map(namespaceManifest));
  const marker = await readMarker(options);
  if (marker !== undefined) {
    await addNetwork(options, marker);
    return;
  }
  const dns = corednsManifests({ dnsIp: config.dnsIp, clusterDomain: config.clusterDomain });
  const isDeployment = ({ resource }: Manifest): boolean => resource === DEPLOYMENTS;
  await createAll(options, [
    ...kubeProxyManifests({ podCidrs: podCidrs(config), mode: config.proxyMode }),
    netnsRuntimeClass(),
    ...networkManifests(config.cni, config),
    ...dns.filter((manifest) => !isDeployment(manifest)),
  ]);
  await nodesForTwo(options);
  await createAll(options, dns.filter(isDeployment));
  await createAll(options, [markerManifest(config.cni)]);
}

/** Of a cluster that had another one when it ran before. */
async function addNetwork(options: BootstrapOptions, marker: ConfigMap): Promise<void> {
  const { config, api } = options;
  const networks = marker.data?.networks?.split(' ') ?? [];
  if (networks.includes(config.cni)) return;
  await createAll(options, networkManifests(config.cni, config));
  const body = { data: { networks: [...networks, config.cni].join(' ') } };
  await untilDone(options, MARKER, () => api.patch(CONFIGMAPS, MARKER, 'kube-system', { type: 'merge', body }));
}

function podCidrs({ podCidr, ipv6 }: ClusterConfig): readonly string[] {
  return ipv6 === undefined ? [podCidr] : [podCidr, ipv6.podCidr];
}

async function nodesForTwo({ placeableNodes, clock, signal }: BootstrapOptions): Promise<void> {
  let firstAtMs: number | undefined;
  while (!signal.aborted && placeableNodes() < 2) {
    const nowMs = clock.monotonicMs();
    if (placeableNodes() > 0) firstAtMs ??= nowMs;
    if (firstAtMs !== undefined && nowMs - firstAtMs > SECOND_NODE_WAIT_MS) return;
    await clock.sleep(NODE_POLL_MS, signal);
  }
}

function namespaceManifest(name: string): Manifest {
  return { resource: NAMESPACES, object: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } } };
}

function markerManifest(network: CniPluginName): Manifest {
  const metadata = { name: MARKER, namespace: 'kube-system' };
  const data = { done: 'true', networks: network };
  return { resource: CONFIGMAPS, object: { apiVersion: 'v1', kind: 'ConfigMap', metadata, data } };
}

/** Undefined where there is none. */
function readMarker(options: BootstrapOptions): Promise<ConfigMap | undefined> {
  return untilDone(options, MARKER, async () => {
    try {
      return await options.api.get<ConfigMap>(CONFIGMAPS, MARKER, 'kube-system');
    } catch (error) {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    }
  });
}

async function createAll(options: BootstrapOptions, manifests: readonly Manifest[]): Promise<void> {
  await Promise.all(manifests.map((manifest) => create(options, manifest)));
}

async function create(options: BootstrapOptions, { resource, object }: Manifest): Promise<void> {
  await untilDone(options, resource.resource, async () => {
    try {
      await options.api.create(resource, object);
    } catch (error) {
      if (!isApiError(error, 'AlreadyExists')) throw error;
    }
  });
}

/** Until the API answers, or the process ends: undefined then. */
async function untilDone<T>(
  { clock, log, signal }: BootstrapOptions,
  what: string,
  work: () => Promise<T>,
): Promise<T | undefined> {
  while (!signal.aborted) {
    try {
      return await work();
    } catch (error) {
      log.debug({ error, what }, 'could not be done yet; will be tried again');
      await clock.sleep(RETRY_MS, signal);
    }
  }
  return undefined;
}
