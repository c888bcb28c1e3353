/** Namespaces: emptied by the namespace controller before they go, and a few never go. */
import { fieldAt, isJsonObject } from '../../../../shared/api/object.ts';
import { NAMESPACES } from '../../../../shared/api/resources.ts';
import { forbidden } from '../../../../shared/api/status.ts';
import type { Strategy } from '../strategy.ts';

/** In `spec.finalizers` until the namespace controller has deleted all that is inside. */
const CONTENT_FINALIZER = 'kubernetes';
const IMMORTAL = new Set(['default', 'kube-system', 'kube-public']);

export const namespaceStrategy: Strategy = {
  create(namespace) {
    const spec = isJsonObject(namespace.spec) ? namespace.spec : {};
    const finalizers = Array.isArray(spec.finalizers) ? spec.finalizers : [];
    namespace.spec = { ...spec, finalizers: [...new Set([...finalizers, CONTENT_FINALIZER])] };
    namespace.status = { phase: 'Active' };
    return undefined;
  },

  /** Only `/finalize` changes the finalizers. */
  update(namespace, old) {
    namespace.spec = old.spec;
    return undefined;
  },

  checkDelete(namespace) {
    const { name = '' } = namespace.metadata;
    if (IMMORTAL.has(name)) throw forbidden(NAMESPACES, name, 'this namespace may not be deleted');
  },

  holds(namespace) {
    const finalizers = fieldAt(namespace, 'spec', 'finalizers');
    return Array.isArray(finalizers) && finalizers.length > 0;
  },

  markDeleted(namespace) {
    namespace.status = { ...(isJsonObject(namespace.status) ? namespace.status : {}), phase: 'Terminating' };
  },
};
