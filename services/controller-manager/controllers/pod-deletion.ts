/** A controller removes one of its pods. */
import type { Pod } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../shared/api/live.ts';
import { controllerOf } from '../../../shared/api/object.ts';
import { PODS } from '../../../shared/api/resources.ts';
import type { Action } from '../action.ts';

export function deletePod({ metadata }: Live<Pod>): Action {
  const { name, namespace, uid } = metadata;
  const reference = controllerOf({ metadata });
  const owner = reference && { ...reference, namespace };
  return { kind: 'delete', resource: PODS, name, namespace, uid, ...(owner === undefined ? {} : { owner }) };
}
