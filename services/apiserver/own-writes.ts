/** Objects that the apiserver itself writes, through its own API. */
import type { KubeObject } from '../../shared/api/object.ts';
import type { ResourceRef } from '../../shared/api/resource.ts';
import { isApiError } from '../../shared/api/status.ts';
import { componentUser } from './authentication/user.ts';
import type { ApiCore } from './registry/api-core.ts';

const CREATE_ATTEMPTS = 20;
const CREATE_PAUSE_MS = 100;
const APISERVER_USER = componentUser('system:apiserver');

export async function createIfMissing(core: ApiCore, resource: ResourceRef, object: KubeObject): Promise<void> {
  const { name = '', namespace } = object.metadata;
  const { storage } = core.context;
  for (let attempt = 1; storage.get(resource, name, namespace) === undefined; attempt++) {
    try {
      await write(core, 'create', resource, object);
      return;
    } catch (error) {
      // Another apiserver was faster, or is just about to: it has the Service's address already.
      if (isApiError(error, 'AlreadyExists')) return;
      if (!isApiError(error, 'Invalid') || attempt === CREATE_ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, CREATE_PAUSE_MS));
    }
  }
}

export async function createOrReplace(core: ApiCore, resource: ResourceRef, object: KubeObject): Promise<void> {
  const { name = '', namespace } = object.metadata;
  const present = core.context.storage.get(resource, name, namespace);
  if (present === undefined) await createIfMissing(core, resource, object);
  else await write(core, 'update', resource, object);
}

export async function replaceStatus(core: ApiCore, resource: ResourceRef, object: KubeObject): Promise<void> {
  await write(core, 'update', resource, object, 'status');
}

export async function deleteIfThere(core: ApiCore, resource: ResourceRef, name: string, namespace: string) {
  try {
    await write(core, 'delete', resource, { metadata: { name, namespace } });
  } catch (error) {
    if (!isApiError(error, 'NotFound')) throw error;
  }
}

function write(
  core: ApiCore,
  verb: 'create' | 'update' | 'delete',
  resource: ResourceRef,
  object: KubeObject,
  subresource?: string,
) {
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
      subresource,
    },
    query: new URLSearchParams(),
    body: verb === 'delete' ? undefined : { mediaType: 'application/json', value: object, duplicateFields: [] },
    user: APISERVER_USER,
    origin: 'component',
    agent: 'kube-apiserver',
    warn: () => undefined,
  });
}
