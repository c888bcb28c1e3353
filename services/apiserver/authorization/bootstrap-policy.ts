/**
 * The roles and bindings that every cluster with RBAC begins with (Kubernetes "Default roles and role bindings"). The three
 * roles for users are put together by label; the cluster's own components come over the bus and need no role.
 */
import type { KubeObject } from '../../../shared/api/object.ts';
import type { PolicyRule } from './authorizer.ts';

const RBAC = 'rbac.authorization.k8s.io';
const READ = ['get', 'list', 'watch'];
const WRITE = ['create', 'delete', 'deletecollection', 'patch', 'update'];
const ALL_VERBS = ['*'];

function rule(verbs: readonly string[], group: string, ...resources: readonly string[]): PolicyRule {
  return { verbs, apiGroups: [group], resources };
}

function paths(...nonResourceURLs: readonly string[]): PolicyRule {
  return { verbs: ['get'], nonResourceURLs };
}

const SCALABLE = ['deployments', 'replicasets', 'statefulsets'];
const WORKLOADS = ['daemonsets', ...SCALABLE, ...SCALABLE.map((resource) => `${resource}/scale`)];
const CORE_OBJECTS = [
  'configmaps',
  'endpoints',
  'persistentvolumeclaims',
  'pods',
  'replicationcontrollers',
  'services',
];
const CORE_SCALE = 'replicationcontrollers/scale';

const VIEW: readonly PolicyRule[] = [
  rule(READ, '', ...CORE_OBJECTS, CORE_SCALE, 'serviceaccounts', 'persistentvolumeclaims/status', 'services/status'),
  rule(READ, '', 'bindings', 'events', 'limitranges', 'namespaces', 'namespaces/status', 'pods/log', 'pods/status'),
  rule(READ, '', 'replicationcontrollers/status', 'resourcequotas', 'resourcequotas/status'),
  rule(READ, 'discovery.k8s.io', 'endpointslices'),
  rule(READ, 'apps', 'controllerrevisions', ...WORKLOADS, 'daemonsets/status'),
  rule(READ, 'apps', ...SCALABLE.map((resource) => `${resource}/status`)),
  rule(READ, 'autoscaling', 'horizontalpodautoscalers', 'horizontalpodautoscalers/status'),
  rule(READ, 'batch', 'cronjobs', 'cronjobs/status', 'jobs', 'jobs/status'),
  rule(READ, 'policy', 'poddisruptionbudgets', 'poddisruptionbudgets/status'),
  rule(READ, 'networking.k8s.io', 'ingresses', 'ingresses/status', 'networkpolicies'),
];

const EDIT: readonly PolicyRule[] = [
  rule(READ, '', 'pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'secrets', 'services/proxy'),
  rule(['impersonate'], '', 'serviceaccounts'),
  rule(WRITE, '', 'pods', 'pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy'),
  rule(['create'], '', 'pods/eviction', 'serviceaccounts/token'),
  rule(WRITE, '', 'configmaps', 'events', 'persistentvolumeclaims', 'replicationcontrollers', CORE_SCALE),
  rule(WRITE, '', 'secrets', 'serviceaccounts', 'services', 'services/proxy'),
  rule(WRITE, 'apps', ...WORKLOADS, 'deployments/rollback'),
  rule(WRITE, 'autoscaling', 'horizontalpodautoscalers'),
  rule(WRITE, 'batch', 'cronjobs', 'jobs'),
  rule(WRITE, 'policy', 'poddisruptionbudgets'),
  rule(WRITE, 'networking.k8s.io', 'ingresses', 'networkpolicies'),
  rule([...READ, ...WRITE], 'coordination.k8s.io', 'leases'),
];

const ADMIN: readonly PolicyRule[] = [
  rule(['create'], 'authorization.k8s.io', 'localsubjectaccessreviews'),
  rule([...READ, ...WRITE], RBAC, 'rolebindings', 'roles'),
];

const DISCOVERY = ['/api', '/api/*', '/apis', '/apis/*', '/healthz', '/livez', '/openapi', '/openapi/*'];
const PUBLIC = ['/healthz', '/livez', '/readyz', '/version', '/version/'];

const CLUSTER_ROLES: Readonly<Record<string, readonly PolicyRule[]>> = {
  'cluster-admin': [
    { verbs: ALL_VERBS, apiGroups: ['*'], resources: ['*'] },
    { verbs: ALL_VERBS, nonResourceURLs: ['*'] },
  ],
  'system:basic-user': [
    rule(['create'], 'authorization.k8s.io', 'selfsubjectaccessreviews', 'selfsubjectrulesreviews'),
    rule(['create'], 'authentication.k8s.io', 'selfsubjectreviews'),
  ],
  'system:discovery': [paths(...DISCOVERY, '/readyz', '/version', '/version/')],
  'system:public-info-viewer': [paths(...PUBLIC)],
  'system:monitoring': [paths('/healthz', '/healthz/*', '/livez', '/livez/*', '/metrics', '/readyz', '/readyz/*')],
  'system:service-account-issuer-discovery': [paths('/.well-known/openid-configuration', '/openid/v1/jwks')],
  'system:auth-delegator': [
    rule(['create'], 'authentication.k8s.io', 'tokenreviews'),
    rule(['create'], 'authorization.k8s.io', 'subjectaccessreviews'),
  ],
  'system:kube-dns': [
    rule(['list', 'watch'], '', 'endpoints', 'services'),
    rule(['list', 'watch'], 'discovery.k8s.io', 'endpointslices'),
  ],
  'system:node-proxier': [
    rule(['list', 'watch'], '', 'endpoints', 'services'),
    rule(READ, '', 'nodes'),
    rule(['list', 'watch'], 'discovery.k8s.io', 'endpointslices'),
    rule(['create', 'patch', 'update'], '', 'events'),
  ],
  'system:node-bootstrapper': [rule(['create', ...READ], 'certificates.k8s.io', 'certificatesigningrequests')],
  'system:heapster': [rule(READ, '', 'events', 'namespaces', 'nodes', 'pods'), rule(READ, 'apps', 'deployments')],
};

/** A user-facing role, the part it adds to the next greater one, and whose parts it is made of. */
const AGGREGATES = [
  { name: 'view', adds: VIEW, of: ['view'] },
  { name: 'edit', adds: EDIT, of: ['view', 'edit'] },
  { name: 'admin', adds: ADMIN, of: ['view', 'edit', 'admin'] },
] as const;

const AUTHENTICATED = 'system:authenticated';
const UNAUTHENTICATED = 'system:unauthenticated';

const CLUSTER_ROLE_BINDINGS: Readonly<Record<string, readonly string[]>> = {
  'cluster-admin': ['system:masters'],
  'system:basic-user': [AUTHENTICATED],
  'system:discovery': [AUTHENTICATED],
  'system:public-info-viewer': [AUTHENTICATED, UNAUTHENTICATED],
  'system:monitoring': ['system:monitoring'],
  'system:service-account-issuer-discovery': ['system:serviceaccounts'],
};

function metadata(name: string, labels: Record<string, string> = {}): KubeObject['metadata'] {
  return {
    name,
    labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...labels },
    annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
  };
}

function aggregationLabel(name: string): string {
  return `${RBAC}/aggregate-to-${name}`;
}

/** Kubernetes adds what a greater role allows to the smaller one's part: whose part goes where. */
function aggregateRoles(): KubeObject[] {
  return AGGREGATES.flatMap(({ name, adds, of }, i) => {
    const greater = AGGREGATES[i + 1];
    const parts = AGGREGATES.filter((part) => (of as readonly string[]).includes(part.name));
    const whole: KubeObject = {
      metadata: metadata(name, greater === undefined ? {} : { [aggregationLabel(greater.name)]: 'true' }),
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [aggregationLabel(name)]: 'true' } }] },
      rules: parts.flatMap((part) => part.adds),
    };
    const part: KubeObject = {
      metadata: metadata(`system:aggregate-to-${name}`, { [aggregationLabel(name)]: 'true' }),
      rules: adds,
    };
    return [whole, part];
  });
}

export function bootstrapClusterRoles(): KubeObject[] {
  const plain = Object.entries(CLUSTER_ROLES).map(([name, rules]): KubeObject => ({ metadata: metadata(name), rules }));
  return [...plain, ...aggregateRoles()];
}

export function bootstrapClusterRoleBindings(): KubeObject[] {
  return Object.entries(CLUSTER_ROLE_BINDINGS).map(([name, groups]) => ({
    metadata: metadata(name),
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name },
    subjects: groups.map((group) => ({ apiGroup: RBAC, kind: 'Group', name: group })),
  }));
}
