/** The objects of the first lab, as a user would `kubectl apply` them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { isJsonObject } from '../../shared/api/object.ts';
import type { ResourceRef } from '../../shared/api/resource.ts';
import { DEPLOYMENTS, SERVICES } from '../../shared/api/resources.ts';
import type { ApiClient } from '../../shared/bus/api-client.ts';

export const DEMO_NAMESPACE = 'default';
const MANIFEST = join('labs', 'first-steps', 'web.yaml');
const RESOURCES: readonly ResourceRef[] = [DEPLOYMENTS, SERVICES];

/** Creates every document of the manifest; resolves to what was created: `deployment/frontend`. */
export async function applyManifest(api: ApiClient, projectRoot: string): Promise<string[]> {
  const created: string[] = [];
  for (const document of parseAllDocuments(await readFile(join(projectRoot, MANIFEST), 'utf8'))) {
    const object: unknown = document.toJS();
    const resource = RESOURCES.find(({ kind }) => isJsonObject(object) && object.kind === kind);
    if (resource === undefined || !isJsonObject(object) || !isJsonObject(object.metadata)) {
      throw new Error(`${MANIFEST} holds something other than ${RESOURCES.map(({ kind }) => kind).join(' and ')}`);
    }
    await api.create(resource, object, { namespace: DEMO_NAMESPACE });
    created.push(`${resource.kind.toLowerCase()}/${String(object.metadata.name)}`);
  }
  return created;
}
