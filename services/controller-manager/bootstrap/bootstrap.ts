/** Creates what a cluster cannot do without where it is absent; what is there is the user's and stays as it is. */
import { CONFIGMAPS, NAMESPACES } from '../../../shared/api/resources.ts';
import { isApiError } from '../../../shared/api/status.ts';
import type { ApiClient } from '../../../shared/bus/api-client.ts';
import type { Clock } from '../../../shared/runtime/clock.ts';
import type { ClusterConfig } from '../../../shared/runtime/config.ts';
import type { Logger } from '../../../shared/runtime/log.ts';
import { corednsManifests } from './coredns.ts';
import { kubeProxyManifests } from './kube-proxy.ts';
import type { Manifest } from './manifest.ts';

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
}

export async function bootstrapCluster(options: BootstrapOptions): Promise<void> {
  const { config } = options;
  await createAll(options, SYSTEM_NAMESPACES.map(namespaceManifest));
  if (await isMarked(options)) return;
  await createAll(options, [
    ...kubeProxyManifests({ podCidr: config.podCidr, mode: config.proxyMode }),
    ...corednsManifests({ dnsIp: config.dnsIp, clusterDomain: config.clusterDomain }),
  ]);
  await createAll(options, [markerManifest()]);
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
