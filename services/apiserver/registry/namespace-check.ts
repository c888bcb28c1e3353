/** Objects are only made in namespaces that are there and that are not on their way out (admission "NamespaceLifecycle"). */

import type { ResourceDefinition } from '../../../shared/api/registry.ts';
import { NAMESPACES } from '../../../shared/api/resources.ts';
import { ApiError, forbidden, notFound } from '../../../shared/api/status.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';

/** Throws NotFound, or Forbidden while the namespace is terminating. */
export function checkNamespace(
  storage: Pick<ObjectStorage, 'get'>,
  definition: ResourceDefinition,
  name: string,
  namespace: string,
): void {
  const found = storage.get(NAMESPACES, namespace);
  if (found === undefined) throw notFound(NAMESPACES, namespace);
  if (found.metadata.deletionTimestamp === undefined) return;
  const error = forbidden(
    definition,
    name,
    `unable to create new content in namespace ${namespace} because it is being terminated`,
  );
  throw new ApiError(error.code, error.reason, error.message, {
    ...error.details,
    causes: [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ],
  });
}
