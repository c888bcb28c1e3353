/** The objects that the apiserver itself owes a new cluster: namespaces, the `kubernetes` Service, by what to verify it. */
import type { KubeObject } from '../../shared/api/object.ts';
import {
  CLUSTERROLEBINDINGS,
  CLUSTERROLES,
  CONFIGMAPS,
  NAMESPACES,
  PRIORITYCLASSES,
  SERVICECIDRS,
  SERVICES,
} from '../../shared/api/resources.ts';
import { formatTimestamp } from '../../shared/api/timestamp.ts';
import { formatIpv4, hostRange } from './allocation/ipv4-number.ts';
import { API_SERVICE_NAME } from './maintenance/api-endpoints.ts';
import { createIfMissing, createOrReplace, replaceStatus } from './own-writes.ts';
import type { ApiCore } from './registry/api-core.ts';

const SYSTEM_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];
const SERVICE_LABELS = { component: 'apiserver', provider: 'kubernetes' };

/** The first address of the Service range: the `kubernetes` Service's. */
export function apiServiceAddress(serviceCidr: string): string {
  return formatIpv4(hostRange(serviceCidr).first);
}

export interface BootstrapOptions {
  /** The first is the one that the `kubernetes` Service has its address of. */
  readonly serviceCidrs: readonly string[];
  /** PEM */
  readonly caCertificate: string;
}

/** Makes what is missing. */
export async function bootstrap(core: ApiCore, options: BootstrapOptions): Promise<void> {
  const { serviceCidrs, caCertificate } = options;
  for (const name of SYSTEM_NAMESPACES) {
    await createIfMissing(core, NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  await createOrReplace(core, CONFIGMAPS, publishedAuthority(caCertificate));
  for (const priorityClass of SYSTEM_PRIORITY_CLASSES) await createIfMissing(core, PRIORITYCLASSES, priorityClass);
  await serviceRange(core, serviceCidrs);
  await createIfMissing(core, SERVICES, apiService(serviceCidrs[0] ?? ''));
}

function priorityClass(name: string, value: number, description: string): KubeObject {
  return { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value, description };
}

const SYSTEM_PRIORITY_CLASSES = [
  priorityClass('system-cluster-critical', 2_000_000_000, 'For pods that the cluster needs, on whichever node.'),
  priorityClass('system-node-critical', 2_000_001_000, 'For pods that their node needs, and that cannot be moved.'),
];

/** The range of Services as an object, which says that it is in use. */
async function serviceRange(core: ApiCore, cidrs: readonly string[]): Promise<void> {
  const range: KubeObject = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: API_SERVICE_NAME },
    spec: { cidrs: [...cidrs] },
  };
  if (core.context.storage.get(SERVICECIDRS, API_SERVICE_NAME) !== undefined) return;
  await createIfMissing(core, SERVICECIDRS, range);
  const lastTransitionTime = formatTimestamp(core.context.clock.nowMs());
  const message = 'Kubernetes Service CIDR is ready';
  const ready = { type: 'Ready', status: 'True', reason: '', message, lastTransitionTime };
  await replaceStatus(core, SERVICECIDRS, { ...range, status: { conditions: [ready] } });
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
