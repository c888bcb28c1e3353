/** Creates what a cluster cannot do without where it is absent; what is there is the user's and stays as it is. */
import { CONFIGMAPS, DEPLOYMENTS, NAMESPACES } from '../../../shared/api/resources.ts';
import { isApiError } from '../../../shared/api/status.ts';
import type { ApiClient } from '../../../shared/bus/api-client.ts';
import type { Clock } from '../../../shared/runtime/clock.ts';
import type { ClusterConfig } from '../../../shared/runtime/config.ts';
import type { Logger } from '../../../shared/runtime/log.ts';
import { corednsManifests } from './coredns.ts';
import { kubeProxyManifests } from './kube-proxy.ts';
import type { Manifest } from './manifest.ts';
import { networkManifests } from './network-resources.ts';
import { netnsRuntimeClass } from './runtime-class.ts';

const SYSTEM_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];
const RETRY_MS = 200;
/** Says that a cluster was set up once: what its user deleted afterwards stays deleted. */
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
  if (await isMarked(options)) return;
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
  await createAll(options, [markerManifest()]);
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

function markerManifest(): Manifest {
  const metadata = { name: MARKER, namespace: 'kube-system' };
  return { resource: CONFIGMAPS, object: { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { done: 'true' } } };
}

async function isMarked({ api, clock, log, signal }: BootstrapOptions): Promise<boolean> {
  while (!signal.aborted) {
    try {
      await api.get(CONFIGMAPS, MARKER, 'kube-system');
      return true;
    } catch (error) {
      if (isApiError(error, 'NotFound')) return false;
      log.debug({ error }, 'the apiserver does not answer yet');
      await clock.sleep(RETRY_MS, signal);
    }
  }
  return true;
}

async function createAll(options: BootstrapOptions, manifests: readonly Manifest[]): Promise<void> {
  await Promise.all(manifests.map((manifest) => create(options, manifest)));
}

async function create({ api, clock, log, signal }: BootstrapOptions, { resource, object }: Manifest): Promise<void> {
  while (!signal.aborted) {
    try {
      await api.create(resource, object);
      return;
    } catch (error) {
      if (isApiError(error, 'AlreadyExists')) return;
      log.debug({ error, resource: resource.resource }, 'could not be created yet; will be tried again');
      await clock.sleep(RETRY_MS, signal);
    }
  }
}
