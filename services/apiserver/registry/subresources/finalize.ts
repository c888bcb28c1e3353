/** `namespaces/finalize`: how the namespace controller says that a namespace is empty. */
import { isJsonObject } from '../../../../shared/api/object.ts';
import { findSubresource } from '../../../../shared/api/registry.ts';
import type { ApiAnswer, ApiCall } from '../api-call.ts';
import { trackerFor } from '../managed-fields.ts';
import { decodeBody } from '../object-model.ts';
import type { RegistryContext } from '../registry-context.ts';
import { writeOptions } from '../request-options.ts';
import { updateObject } from '../update.ts';

export async function finalizeNamespace(context: RegistryContext, call: ApiCall): Promise<ApiAnswer> {
  const options = writeOptions(call.query);
  const sent = decodeBody(call, options.fieldValidation);
  const finalizers = isJsonObject(sent.spec) ? sent.spec.finalizers : undefined;
  const subresource = findSubresource(call.definition, 'finalize');
  const tracker = trackerFor(context, call, options.fieldManager);
  const object = await updateObject(
    context,
    { ...call, subresource },
    { dryRun: options.dryRun, tracker },
    (current) => ({
      ...current,
      metadata: { ...current.metadata, resourceVersion: sent.metadata.resourceVersion, uid: sent.metadata.uid },
      spec: { ...(isJsonObject(current.spec) ? current.spec : {}), finalizers: finalizers ?? [] },
    }),
  );
  return { kind: 'object', code: 200, object };
}
