/**
 * Namespace: what is in a namespace that is being deleted goes first, then its finalizer `kubernetes`; pods get their grace
 * period, so the namespace stays Terminating until they have stopped.
 */
import type { Namespace } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../../shared/api/live.ts';
import type { KubeObject } from '../../../../shared/api/object.ts';
import { isTerminating } from '../../../../shared/api/pod-condition.ts';
import type { ResourceRef } from '../../../../shared/api/resource.ts';
import { NAMESPACES } from '../../../../shared/api/resources.ts';
import { type Action, NOTHING, type Outcome } from '../../action.ts';

export interface NamespaceContent {
  readonly resource: ResourceRef;
  readonly objects: readonly KubeObject[];
}

export interface NamespaceState {
  readonly namespace: Live<Namespace>;
  /** Everything in the namespace; only looked at while it is being deleted. */
  readonly contents: readonly NamespaceContent[];
}

const FINALIZER = 'kubernetes';
/** Content that goes by itself (graceful pods, finalizers) is looked for again after this. */
const RECHECK_MS = 500;

export function reconcileNamespace({ namespace, contents }: NamespaceState): Outcome {
  if (!isTerminating(namespace)) return NOTHING;
  const left = contents.filter(({ objects }) => objects.length > 0);
  if (left.length > 0) return { actions: left.flatMap(deleteContent), requeueAfterMs: RECHECK_MS };
  const finalizers = namespace.spec.finalizers ?? [];
  if (!finalizers.includes(FINALIZER)) return NOTHING;
  return {
    actions: [
      finalize(
        namespace,
        finalizers.filter((finalizer) => finalizer !== FINALIZER),
      ),
    ],
  };
}

function deleteContent({ resource, objects }: NamespaceContent): Action[] {
  return objects
    .filter((object) => !isTerminating(object))
    .map(({ metadata: { name = '', namespace, uid } }) => ({
      kind: 'delete',
      resource,
      name,
      namespace,
      uid,
      propagationPolicy: 'Background',
    }));
}

function finalize(namespace: Live<Namespace>, finalizers: readonly string[]): Action {
  const object = { ...namespace, spec: { ...namespace.spec, finalizers } };
  return { kind: 'update-subresource', resource: NAMESPACES, subresource: 'finalize', object };
}
