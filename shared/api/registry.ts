/**
 * The served resources, declaratively: what discovery says of them, which verbs and subresources they have, under which
 * key they are stored and which schema describes them. The one place where a kind is added.
 */
import type { CustomTraits } from './custom-resource/definition.ts';
import { apiVersionOf, type ResourceRef } from './resource.ts';
import * as R from './resources.ts';

export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch';

export interface SubresourceDefinition {
  /** `status`, `scale`, `exec`. */
  readonly name: string;
  /** Kind of the body; its group and version where they differ from the resource's own. */
  readonly kind: string;
  readonly group?: string;
  readonly version?: string;
  readonly verbs: readonly Verb[];
  /** True where the request becomes a byte stream or is passed on (exec, attach, portforward, proxy, log). */
  readonly connects?: boolean;
}

export interface ResourceDefinition extends ResourceRef {
  readonly singular: string;
  readonly listKind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly Verb[];
  readonly subresources: readonly SubresourceDefinition[];
  /** The resource whose key and form the store holds; itself but for versions and groups that share storage. */
  readonly storage: ResourceRef;
  /** Name of the kind's type in the schema table: `apps.v1.Deployment`. */
  readonly schema: string;
  /** True for kinds that are answered and never stored (reviews, bindings). */
  readonly virtual: boolean;
  /** Of resources that a CustomResourceDefinition brought; their schema is in here, and not in the table. */
  readonly custom?: CustomTraits;
}

interface Traits {
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly verbs?: readonly Verb[];
  readonly subresources?: readonly SubresourceDefinition[];
  readonly storage?: ResourceRef;
  readonly virtual?: boolean;
  /** Where the type is another version's. */
  readonly schema?: string;
}

export const STANDARD_VERBS: readonly Verb[] = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
];
const CREATE_ONLY: readonly Verb[] = ['create'];
const READ: readonly Verb[] = ['get', 'list'];
const MODIFY: readonly Verb[] = ['get', 'patch', 'update'];
const STREAM: readonly Verb[] = ['create', 'get'];
const PROXY: readonly Verb[] = ['create', 'delete', 'get', 'patch', 'update'];
const ALL = ['all'];

export function status(resource: ResourceRef): SubresourceDefinition {
  return { name: 'status', kind: resource.kind, verbs: MODIFY };
}

export const SCALE: SubresourceDefinition = {
  name: 'scale',
  kind: 'Scale',
  group: 'autoscaling',
  version: 'v1',
  verbs: MODIFY,
};

function define(resource: ResourceRef, traits: Traits = {}): ResourceDefinition {
  const groupName = resource.group === '' ? 'core' : resource.group.split('.')[0]!;
  return {
    ...resource,
    singular: resource.kind.toLowerCase(),
    listKind: `${resource.kind}List`,
    shortNames: traits.shortNames ?? [],
    categories: traits.categories ?? [],
    verbs: traits.verbs ?? STANDARD_VERBS,
    subresources: traits.subresources ?? [],
    storage: traits.storage ?? resource,
    schema: traits.schema ?? `${groupName}.${resource.version}.${resource.kind}`,
    virtual: traits.virtual ?? false,
  };
}

function review(resource: ResourceRef): ResourceDefinition {
  return define(resource, { verbs: CREATE_ONLY, virtual: true });
}

const POD_SUBRESOURCES: readonly SubresourceDefinition[] = [
  { name: 'attach', kind: 'PodAttachOptions', verbs: STREAM, connects: true },
  { name: 'binding', kind: 'Binding', verbs: CREATE_ONLY },
  { name: 'ephemeralcontainers', kind: 'Pod', verbs: MODIFY },
  { name: 'eviction', kind: 'Eviction', group: 'policy', version: 'v1', verbs: CREATE_ONLY },
  { name: 'exec', kind: 'PodExecOptions', verbs: STREAM, connects: true },
  { name: 'log', kind: 'Pod', verbs: ['get'], connects: true },
  { name: 'portforward', kind: 'PodPortForwardOptions', verbs: STREAM, connects: true },
  { name: 'proxy', kind: 'PodProxyOptions', verbs: PROXY, connects: true },
  { name: 'resize', kind: 'Pod', verbs: MODIFY },
  status(R.PODS),
];

const SERVICE_ACCOUNT_TOKEN: SubresourceDefinition = {
  name: 'token',
  kind: 'TokenRequest',
  group: 'authentication.k8s.io',
  version: 'v1',
  verbs: CREATE_ONLY,
};

/** Preferred versions come first within a group. */
export const REGISTRY: readonly ResourceDefinition[] = [
  define(R.BINDINGS, { verbs: CREATE_ONLY, virtual: true }),
  define(R.CONFIGMAPS, { shortNames: ['cm'] }),
  define(R.ENDPOINTS, { shortNames: ['ep'] }),
  define(R.EVENTS, { shortNames: ['ev'] }),
  define(R.LIMITRANGES, { shortNames: ['limits'] }),
  define(R.NAMESPACES, {
    shortNames: ['ns'],
    verbs: STANDARD_VERBS.filter((verb) => verb !== 'deletecollection'),
    subresources: [{ name: 'finalize', kind: 'Namespace', verbs: ['update'] }, status(R.NAMESPACES)],
  }),
  define(R.NODES, {
    shortNames: ['no'],
    subresources: [{ name: 'proxy', kind: 'NodeProxyOptions', verbs: PROXY, connects: true }, status(R.NODES)],
  }),
  define(R.PERSISTENTVOLUMECLAIMS, { shortNames: ['pvc'], subresources: [status(R.PERSISTENTVOLUMECLAIMS)] }),
  define(R.PERSISTENTVOLUMES, { shortNames: ['pv'], subresources: [status(R.PERSISTENTVOLUMES)] }),
  define(R.PODS, { shortNames: ['po'], categories: ALL, subresources: POD_SUBRESOURCES }),
  define(R.PODTEMPLATES),
  define(R.REPLICATIONCONTROLLERS, {
    shortNames: ['rc'],
    categories: ALL,
    subresources: [SCALE, status(R.REPLICATIONCONTROLLERS)],
  }),
  define(R.RESOURCEQUOTAS, { shortNames: ['quota'], subresources: [status(R.RESOURCEQUOTAS)] }),
  define(R.SECRETS),
  define(R.SERVICEACCOUNTS, { shortNames: ['sa'], subresources: [SERVICE_ACCOUNT_TOKEN] }),
  define(R.SERVICES, {
    shortNames: ['svc'],
    categories: ALL,
    subresources: [{ name: 'proxy', kind: 'ServiceProxyOptions', verbs: PROXY, connects: true }, status(R.SERVICES)],
  }),

  define(R.CUSTOMRESOURCEDEFINITIONS, {
    shortNames: ['crd', 'crds'],
    categories: ['api-extensions'],
    subresources: [status(R.CUSTOMRESOURCEDEFINITIONS)],
  }),

  define(R.CONTROLLERREVISIONS),
  define(R.DAEMONSETS, { shortNames: ['ds'], categories: ALL, subresources: [status(R.DAEMONSETS)] }),
  define(R.DEPLOYMENTS, { shortNames: ['deploy'], categories: ALL, subresources: [SCALE, status(R.DEPLOYMENTS)] }),
  define(R.REPLICASETS, { shortNames: ['rs'], categories: ALL, subresources: [SCALE, status(R.REPLICASETS)] }),
  define(R.STATEFULSETS, { shortNames: ['sts'], categories: ALL, subresources: [SCALE, status(R.STATEFULSETS)] }),

  review(R.SELFSUBJECTREVIEWS),
  review(R.TOKENREVIEWS),
  review(R.LOCALSUBJECTACCESSREVIEWS),
  review(R.SELFSUBJECTACCESSREVIEWS),
  review(R.SELFSUBJECTRULESREVIEWS),
  review(R.SUBJECTACCESSREVIEWS),

  define(R.HORIZONTALPODAUTOSCALERS, {
    shortNames: ['hpa'],
    categories: ALL,
    subresources: [status(R.HORIZONTALPODAUTOSCALERS)],
  }),
  define(R.HORIZONTALPODAUTOSCALERS_V1, {
    shortNames: ['hpa'],
    categories: ALL,
    subresources: [status(R.HORIZONTALPODAUTOSCALERS_V1)],
    storage: R.HORIZONTALPODAUTOSCALERS,
  }),

  define(R.CRONJOBS, { shortNames: ['cj'], categories: ALL, subresources: [status(R.CRONJOBS)] }),
  define(R.JOBS, { categories: ALL, subresources: [status(R.JOBS)] }),

  define(R.LEASES),
  define(R.ENDPOINTSLICES),
  define(R.EVENTS_EVENTS, { shortNames: ['ev'], storage: R.EVENTS }),

  define(R.INGRESSCLASSES),
  define(R.INGRESSES, { shortNames: ['ing'], subresources: [status(R.INGRESSES)] }),
  define(R.IPADDRESSES, { shortNames: ['ip'] }),
  define(R.NETWORKPOLICIES, { shortNames: ['netpol'] }),
  define(R.SERVICECIDRS, { subresources: [status(R.SERVICECIDRS)] }),
  define(R.IPADDRESSES_V1BETA1, { shortNames: ['ip'], storage: R.IPADDRESSES, schema: 'networking.v1.IPAddress' }),
  define(R.SERVICECIDRS_V1BETA1, {
    subresources: [status(R.SERVICECIDRS_V1BETA1)],
    storage: R.SERVICECIDRS,
    schema: 'networking.v1.ServiceCIDR',
  }),

  define(R.NODEMETRICS, { verbs: READ, virtual: true }),
  define(R.PODMETRICS, { verbs: READ, virtual: true }),

  define(R.RUNTIMECLASSES),
  define(R.PODDISRUPTIONBUDGETS, { shortNames: ['pdb'], subresources: [status(R.PODDISRUPTIONBUDGETS)] }),

  define(R.CLUSTERROLEBINDINGS),
  define(R.CLUSTERROLES),
  define(R.ROLEBINDINGS),
  define(R.ROLES),

  define(R.PRIORITYCLASSES, { shortNames: ['pc'] }),

  define(R.CSIDRIVERS),
  define(R.CSINODES),
  define(R.CSISTORAGECAPACITIES),
  define(R.STORAGECLASSES, { shortNames: ['sc'] }),
  define(R.VOLUMEATTACHMENTS, { subresources: [status(R.VOLUMEATTACHMENTS)] }),
];

const byResource = new Map(
  REGISTRY.map((definition) => [`${apiVersionOf(definition)}/${definition.resource}`, definition]),
);
const byKind = new Map(REGISTRY.map((definition) => [`${apiVersionOf(definition)}/${definition.kind}`, definition]));

/** By the parts of a URL; undefined when no built-in resource has that name. */
export function findResource(group: string, version: string, resource: string): ResourceDefinition | undefined {
  return byResource.get(`${apiVersionOf({ group, version })}/${resource}`);
}

/** By the `apiVersion` and `kind` of an object. */
export function findKind(apiVersion: string, kind: string): ResourceDefinition | undefined {
  return byKind.get(`${apiVersion}/${kind}`);
}

export function findSubresource(definition: ResourceDefinition, name: string): SubresourceDefinition | undefined {
  return definition.subresources.find((subresource) => subresource.name === name);
}

export interface GroupVersions {
  readonly group: string;
  /** The preferred one first. */
  readonly versions: readonly string[];
}

/** The built-in groups in the order of discovery; the core group is the empty one. */
export function groupVersions(): GroupVersions[] {
  const groups = new Map<string, string[]>();
  for (const { group, version } of REGISTRY) {
    const versions = groups.get(group);
    if (versions === undefined) groups.set(group, [version]);
    else if (!versions.includes(version)) versions.push(version);
  }
  return [...groups].map(([group, versions]) => ({ group, versions }));
}

export function resourcesOf(group: string, version: string): ResourceDefinition[] {
  return REGISTRY.filter((definition) => definition.group === group && definition.version === version);
}

/** Bodies of subresources and options: kinds that are not resources, whatever group version they claim. */
const BODY_SCHEMAS: Readonly<Record<string, string>> = {
  DeleteOptions: 'meta.v1.DeleteOptions',
  Eviction: 'policy.v1.Eviction',
  Scale: 'autoscaling.v1.Scale',
  Status: 'meta.v1.Status',
  TokenRequest: 'authentication.v1.TokenRequest',
};

/** The type of a body by what it says of itself; undefined for unknown (or custom) kinds. */
export function schemaOfKind(apiVersion: string, kind: string): string | undefined {
  return findKind(apiVersion, kind)?.schema ?? BODY_SCHEMAS[kind];
}
