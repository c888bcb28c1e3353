/** The objects that the apiserver itself owes a new cluster: namespaces, the `kubernetes` Service, by what to verify it. */
import type { KubeObject } from '../../shared/api/object.ts';
import type { ResourceRef } from '../../shared/api/resource.ts';
import {
  CLUSTERROLEBINDINGS,
  CLUSTERROLES,
  CONFIGMAPS,
  ENDPOINTS,
  ENDPOINTSLICES,
  NAMESPACES,
  SERVICES,
} from '../../shared/api/resources.ts';
import { isApiError } from '../../shared/api/status.ts';
import { formatIpv4, hostRange } from './allocation/ipv4-number.ts';
import { componentUser } from './authentication/user.ts';
import type { ApiCore } from './registry/api-core.ts';

const SYSTEM_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];
const APISERVER_USER = componentUser('system:apiserver');
const SERVICE_NAME = 'kubernetes';
const SERVICE_LABELS = { component: 'apiserver', provider: 'kubernetes' };

export interface Advertised {
  readonly address: string;
  readonly port: number;
}

/** The first address of the Service range: the `kubernetes` Service's. */
export function apiServiceAddress(serviceCidr: string): string {
  return formatIpv4(hostRange(serviceCidr).first);
}

export interface BootstrapOptions {
  readonly serviceCidr: string;
  readonly advertised: Advertised;
  /** PEM */
  readonly caCertificate: string;
}

/** Makes what is missing, and points the Service's endpoints at this server. */
export async function bootstrap(core: ApiCore, options: BootstrapOptions): Promise<void> {
  const { serviceCidr, advertised, caCertificate } = options;
  for (const name of SYSTEM_NAMESPACES) {
    await createIfMissing(core, NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  await createOrReplace(core, CONFIGMAPS, publishedAuthority(caCertificate));
  await createIfMissing(core, SERVICES, apiService(serviceCidr));
  await createOrReplace(core, ENDPOINTS, apiEndpoints(advertised));
  await createOrReplace(core, ENDPOINTSLICES, apiEndpointSlice(advertised));
}

/** The default roles and their bindings, for RBAC. */
export async function bootstrapPolicy(core: ApiCore): Promise<void> {
  const policy = await import('./authorization/bootstrap-policy.ts');
  for (const role of policy.bootstrapClusterRoles()) await createIfMissing(core, CLUSTERROLES, role);
  for (const binding of policy.bootstrapClusterRoleBindings())
    await createIfMissing(core, CLUSTERROLEBINDINGS, binding);
}

/** Where extension servers, and here the controller that hands it to pods, find the certificate authority. */
function publishedAuthority(caCertificate: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'extension-apiserver-authentication', namespace: 'kube-system' },
    data: { 'client-ca-file': caCertificate },
  };
}

function metadata(labels?: Record<string, string>): KubeObject['metadata'] {
  return { name: SERVICE_NAME, namespace: 'default', ...(labels && { labels }) };
}

function apiService(serviceCidr: string): KubeObject {
  const clusterIP = apiServiceAddress(serviceCidr);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadata(SERVICE_LABELS),
    spec: {
      type: 'ClusterIP',
      clusterIP,
      clusterIPs: [clusterIP],
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }],
    },
  };
}

function apiEndpoints({ address, port }: Advertised): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: metadata({ 'endpointslice.kubernetes.io/skip-mirror': 'true' }),
    subsets: [{ addresses: [{ ip: address }], ports: [{ name: 'https', port, protocol: 'TCP' }] }],
  };
}

function apiEndpointSlice({ address, port }: Advertised): KubeObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: metadata({ 'kubernetes.io/service-name': SERVICE_NAME }),
    addressType: 'IPv4',
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [{ name: 'https', port, protocol: 'TCP' }],
  };
}

async function createIfMissing(core: ApiCore, resource: ResourceRef, object: KubeObject): Promise<void> {
  const { name = '', namespace } = object.metadata;
  if (core.context.storage.get(resource, name, namespace) !== undefined) return;
  try {
    await write(core, 'create', resource, object);
  } catch (error) {
    // Another apiserver was faster.
    if (!isApiError(error, 'AlreadyExists')) throw error;
  }
}

async function createOrReplace(core: ApiCore, resource: ResourceRef, object: KubeObject): Promise<void> {
  const { name = '', namespace } = object.metadata;
  const present = core.context.storage.get(resource, name, namespace);
  if (present === undefined) await createIfMissing(core, resource, object);
  else await write(core, 'update', resource, object);
}

function write(core: ApiCore, verb: 'create' | 'update', resource: ResourceRef, object: KubeObject) {
  const { name, namespace } = object.metadata;
  const { group, version } = resource;
  return core.handle({
    info: {
      verb,
      group,
      version,
      resource: resource.resource,
      namespace,
      name: verb === 'create' ? undefined : name,
      subresource: undefined,
    },
    query: new URLSearchParams(),
    body: { mediaType: 'application/json', value: object, duplicateFields: [] },
    user: APISERVER_USER,
    origin: 'component',
    agent: 'kube-apiserver',
    warn: () => undefined,
  });
}
