/** The coordinates of a kind of object: what a URL, a storage key and a watch name it by. */

export interface ResourceRef {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  /** Plural, lower case: `pods`. */
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** `v1` or `apps/v1`, as it stands in an object's `apiVersion`. */
export function apiVersionOf(resource: Pick<ResourceRef, 'group' | 'version'>): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

export interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

/** Reads `v1` or `apps/v1`; undefined when there is more than one slash or an empty part. */
export function parseApiVersion(apiVersion: string): GroupVersion | undefined {
  const parts = apiVersion.split('/');
  if (parts.some((part) => part === '')) return undefined;
  if (parts.length === 1) return { group: '', version: parts[0]! };
  if (parts.length === 2) return { group: parts[0]!, version: parts[1]! };
  return undefined;
}

/** `pods`, `deployments.apps`: how messages and `kubectl` name a resource across groups. */
export function groupResourceText(resource: Pick<ResourceRef, 'group' | 'resource'>): string {
  return resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`;
}
