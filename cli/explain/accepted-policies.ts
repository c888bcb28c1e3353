/** Policies of a file as the apiserver would store them: checked and with defaults, by writes that only try. */
import { isApiError } from '../../shared/api/status.ts';
import type { ApiClient } from '../../shared/bus/api-client.ts';
import { messageOf, UserError } from '../user-error.ts';
import type { PolicyObject } from './cluster-objects.ts';
import { isSamePolicy } from './what-if.ts';

/** `present`: those there are. Throws UserError with the apiserver's words for one that it would refuse. */
export async function acceptedPolicies(
  api: Pick<ApiClient, 'create' | 'update'>,
  path: string,
  present: readonly PolicyObject[],
  wanted: readonly PolicyObject[],
): Promise<PolicyObject[]> {
  return Promise.all(wanted.map((policy) => acceptedPolicy(api, path, present, policy)));
}

async function acceptedPolicy(
  api: Pick<ApiClient, 'create' | 'update'>,
  path: string,
  present: readonly PolicyObject[],
  wanted: PolicyObject,
): Promise<PolicyObject> {
  const { resource, object } = wanted;
  const known = present.find((policy) => isSamePolicy(policy, wanted));
  try {
    if (known === undefined) return { resource, object: await api.create(resource, object, { tryOut: true }) };
    const metadata = { ...object.metadata, resourceVersion: known.object.metadata?.resourceVersion };
    return {
      resource,
      object: await api.update(resource, { ...object, metadata } as PolicyObject['object'], { tryOut: true }),
    };
  } catch (error) {
    if (!isApiError(error)) throw error;
    throw new UserError(
      `${path === '-' ? 'standard input' : path}: ${resource.kind} ${object.metadata?.name} would not be accepted: ${messageOf(error)}`,
    );
  }
}
