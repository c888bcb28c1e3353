/** What groups, versions and resources there are, plain and aggregated (Kubernetes API concepts, "API Discovery"). */
import type { ResourceDefinition, SubresourceDefinition } from '../../../shared/api/registry.ts';
import { apiVersionOf } from '../../../shared/api/resource.ts';
import type { ServedResources } from '../registry/served-resources.ts';

/** `/version`. The API spoken here is that of this Kubernetes release. */
export const VERSION_INFO = {
  major: '1',
  minor: '32',
  gitVersion: 'v1.32.0+podwire',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: `node-${process.version}`,
  compiler: 'v8',
  platform: `${process.platform}/${process.arch}`,
};

/** `/api` */
export function coreVersions(serverAddress: string): unknown {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
  };
}

/** `/apis` */
export function groupList(served: ServedResources): unknown {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: namedGroups(served).map(groupBody) };
}

/** `/apis/<group>`; undefined when there is no such group. */
export function groupOf(served: ServedResources, name: string): unknown {
  const group = namedGroups(served).find((candidate) => candidate.group === name);
  return group === undefined ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...groupBody(group) };
}

function namedGroups(served: ServedResources) {
  return served.groupVersions().filter(({ group }) => group !== '');
}

function groupBody({ group, versions }: { group: string; versions: readonly string[] }) {
  const list = versions.map((version) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions: list, preferredVersion: list[0] };
}

/** `/api/v1`, `/apis/<group>/<version>`; undefined when there is no such version. */
export function resourceList(served: ServedResources, group: string, version: string): unknown {
  const resources = served.resourcesOf(group, version);
  if (resources.length === 0) return undefined;
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf({ group, version }),
    resources: resources.flatMap((resource) => [
      plainResource(resource),
      ...resource.subresources.map((subresource) => plainSubresource(resource, subresource)),
    ]),
  };
}

function plainResource(resource: ResourceDefinition) {
  return {
    name: resource.resource,
    singularName: resource.singular,
    namespaced: resource.namespaced,
    kind: resource.kind,
    verbs: resource.verbs,
    ...(resource.shortNames.length === 0 ? {} : { shortNames: resource.shortNames }),
    ...(resource.categories.length === 0 ? {} : { categories: resource.categories }),
  };
}

function plainSubresource(resource: ResourceDefinition, subresource: SubresourceDefinition) {
  return {
    name: `${resource.resource}/${subresource.name}`,
    singularName: '',
    namespaced: resource.namespaced,
    ...(subresource.group === undefined ? {} : { group: subresource.group, version: subresource.version }),
    kind: subresource.kind,
    verbs: subresource.verbs,
  };
}

/** `/api` or `/apis` as APIGroupDiscoveryList of apidiscovery.k8s.io, v2 or v2beta1 (same fields). */
export function aggregatedDiscovery(served: ServedResources, path: 'api' | 'apis', format: string): unknown {
  const groups = served.groupVersions().filter(({ group }) => (path === 'api') === (group === ''));
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${format}`,
    metadata: {},
    items: groups.map(({ group, versions }) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: versions.map((version) => ({
        version,
        resources: served.resourcesOf(group, version).map(aggregatedResource),
        freshness: 'Current',
      })),
    })),
  };
}

function aggregatedResource(resource: ResourceDefinition) {
  return {
    resource: resource.resource,
    responseKind: { group: resource.group, version: resource.version, kind: resource.kind },
    scope: resource.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: resource.singular,
    verbs: resource.verbs,
    ...(resource.shortNames.length === 0 ? {} : { shortNames: resource.shortNames }),
    ...(resource.categories.length === 0 ? {} : { categories: resource.categories }),
    ...(resource.subresources.length === 0
      ? {}
      : {
          subresources: resource.subresources.map((subresource) => ({
            subresource: subresource.name,
            responseKind: {
              group: subresource.group ?? resource.group,
              version: subresource.version ?? resource.version,
              kind: subresource.kind,
            },
            verbs: subresource.verbs,
          })),
        }),
  };
}
