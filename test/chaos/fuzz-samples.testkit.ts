/** Valid objects of many kinds, each with where it lives: what a fuzzer begins with. */
type Json = null | boolean | number | string | readonly Json[] | { readonly [field: string]: Json };

export interface Sample {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly collection: string;
  readonly name: string;
  readonly object: { readonly metadata: { readonly name: string; readonly namespace?: string } } & {
    readonly [field: string]: Json;
  };
  /** Has no protobuf form. */
  readonly isCustom: boolean;
}

export const VERBS = ['get', 'list', 'create', 'update', 'patch', 'delete', 'deletecollection', 'watch', 'sing'];

const POD_SPEC = {
  containers: [
    {
      name: 'main',
      image: 'nginx',
      ports: [{ name: 'http', containerPort: 80, protocol: 'TCP' }],
      env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
      resources: { requests: { cpu: '100m', memory: '1Gi' } },
      livenessProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 3 },
      volumeMounts: [{ name: 'data', mountPath: '/data' }],
    },
  ],
  volumes: [{ name: 'data', configMap: { name: 'x', items: [{ key: 'a', path: 'b' }] } }],
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] }],
      },
    },
  },
  tolerations: [{ key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 3 }],
};
const TEMPLATE = { metadata: { labels: { app: 'x' } }, spec: POD_SPEC };
const SELECTOR = { matchLabels: { app: 'x' } };

const DEFINITION = {
  group: 'fuzz.example.com',
  names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
  scope: 'Namespaced',
  versions: [
    {
      name: 'v1',
      served: true,
      storage: true,
      subresources: { status: {}, scale: { specReplicasPath: '.spec.n', statusReplicasPath: '.status.n' } },
      additionalPrinterColumns: [{ name: 'N', type: 'integer', jsonPath: '.spec.n' }],
      schema: {
        openAPIV3Schema: {
          type: 'object',
          properties: {
            spec: {
              type: 'object',
              properties: { n: { type: 'integer', default: 3 }, tags: { type: 'array', items: { type: 'string' } } },
            },
            status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
          },
        },
      },
    },
  ],
};

function sample(
  apiVersion: string,
  kind: string,
  resource: string,
  name: string,
  body: { readonly [field: string]: Json },
  { namespaced = true, isCustom = false } = {},
): Sample {
  const [group, version] = apiVersion.includes('/') ? (apiVersion.split('/') as [string, string]) : ['', apiVersion];
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const collection = `${root}${namespaced ? '/namespaces/default' : ''}/${resource}`;
  return {
    group,
    version,
    resource,
    collection,
    name,
    object: { apiVersion, kind, metadata: { name }, ...body },
    isCustom,
  };
}

const CLUSTER = { namespaced: false };

/** In the order in which they can be made. */
export const SAMPLES: readonly Sample[] = [
  sample('v1', 'ConfigMap', 'configmaps', 'c', { data: { a: '1' }, binaryData: { b: 'AAEC' } }),
  sample('v1', 'Secret', 'secrets', 's', { data: { a: 'AAEC' }, stringData: { b: 'c' }, type: 'Opaque' }),
  sample('v1', 'Pod', 'pods', 'p', { spec: POD_SPEC }),
  sample('v1', 'Service', 'services', 'svc', {
    spec: { type: 'NodePort', selector: { app: 'x' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
  }),
  sample('v1', 'Node', 'nodes', 'n', { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } }, CLUSTER),
  sample('v1', 'Namespace', 'namespaces', 'ns', {}, CLUSTER),
  sample('apps/v1', 'Deployment', 'deployments', 'd', {
    spec: { replicas: 2, selector: SELECTOR, template: TEMPLATE },
  }),
  sample('apps/v1', 'StatefulSet', 'statefulsets', 'ss', {
    spec: { serviceName: 'svc', selector: SELECTOR, template: TEMPLATE },
  }),
  sample('batch/v1', 'Job', 'jobs', 'j', {
    spec: { completions: 2, template: { ...TEMPLATE, spec: { ...POD_SPEC, restartPolicy: 'Never' } } },
  }),
  sample('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices', 'es', {
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true } }],
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
  }),
  sample('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies', 'np', {
    spec: {
      podSelector: SELECTOR,
      ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }], ports: [{ port: 80 }] }],
    },
  }),
  sample('networking.k8s.io/v1', 'Ingress', 'ingresses', 'i', {
    spec: {
      rules: [
        {
          host: 'x.example.com',
          http: {
            paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'svc', port: { number: 80 } } } }],
          },
        },
      ],
    },
  }),
  sample('coordination.k8s.io/v1', 'Lease', 'leases', 'l', {
    spec: { holderIdentity: 'a', leaseDurationSeconds: 5, renewTime: '2026-01-01T00:00:00.000000Z' },
  }),
  sample(
    'rbac.authorization.k8s.io/v1',
    'ClusterRole',
    'clusterroles',
    'r',
    {
      rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }],
    },
    CLUSTER,
  ),
  sample('rbac.authorization.k8s.io/v1', 'RoleBinding', 'rolebindings', 'rb', {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'r' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'jane' }],
  }),
  sample('autoscaling/v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers', 'h', {
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' }, maxReplicas: 3 },
  }),
  sample('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets', 'pdb', {
    spec: { minAvailable: 1, selector: SELECTOR },
  }),
  sample(
    'apiextensions.k8s.io/v1',
    'CustomResourceDefinition',
    'customresourcedefinitions',
    'things.fuzz.example.com',
    { spec: DEFINITION },
    { namespaced: false, isCustom: true },
  ),
  sample('fuzz.example.com/v1', 'Thing', 'things', 't', { spec: { n: 1, tags: ['a'] } }, { isCustom: true }),
];
