/** The objects that the apiserver itself owes a new cluster: namespaces, the `kubernetes` Service, by what to verify it. */
import type { KubeObject } from '../../shared/api/object.ts';
import { CLUSTERROLEBINDINGS, CLUSTERROLES, CONFIGMAPS, NAMESPACES, SERVICES } from '../../shared/api/resources.ts';
import { formatIpv4, hostRange } from './allocation/ipv4-number.ts';
import { API_SERVICE_NAME } from './maintenance/api-endpoints.ts';
import { createIfMissing, createOrReplace } from './own-writes.ts';
import type { ApiCore } from './registry/api-core.ts';

const SYSTEM_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];
const SERVICE_LABELS = { component: 'apiserver', provider: 'kubernetes' };

/** The first address of the Service range: the `kubernetes` Service's. */
export function apiServiceAddress(serviceCidr: string): string {
  return formatIpv4(hostRange(serviceCidr).first);
}

export interface BootstrapOptions {
  readonly serviceCidr: string;
  /** PEM */
  readonly caCertificate: string;
}

/** Makes what is missing. */
export async function bootstrap(core: ApiCore, options: BootstrapOptions): Promise<void> {
  const { serviceCidr, caCertificate } = options;
  for (const name of SYSTEM_NAMESPACES) {
    await createIfMissing(core, NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  await createOrReplace(core, CONFIGMAPS, publishedAuthority(caCertificate));
  await createIfMissing(core, SERVICES, apiService(serviceCidr));
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

function apiService(serviceCidr: string): KubeObject {
  const clusterIP = apiServiceAddress(serviceCidr);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: API_SERVICE_NAME, namespace: 'default', labels: SERVICE_LABELS },
    spec: {
      type: 'ClusterIP',
      clusterIP,
      clusterIPs: [clusterIP],
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }],
    },
  };
}
