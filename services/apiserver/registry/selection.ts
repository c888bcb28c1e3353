/** Which objects a list, a watch or a deletecollection speaks of. */

import { fromStorage } from '../../../shared/api/conversion/convert.ts';
import {
  checkFieldSelector,
  type FieldSelector,
  fieldSelectorMatches,
  nameInFieldSelector,
  parseFieldSelector,
} from '../../../shared/api/field-selector.ts';
import { type LabelSelector, labelSelectorMatches, parseLabelSelector } from '../../../shared/api/label-selector.ts';
import type { KubeObject } from '../../../shared/api/object.ts';
import { cacheKey } from '../storage/watch-cache.ts';
import type { ApiCall } from './api-call.ts';

export interface Selection {
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  /** The cache key of the only object that can match, where the selection pins one. */
  readonly key: string | undefined;
  /** Takes the object as it is stored. */
  matches(object: KubeObject): boolean;
}

/** Throws BadRequest for selectors that cannot be read or that the kind does not have. */
export function selectionOf(call: ApiCall): Selection {
  const { definition, namespace } = call;
  const labels = parseLabelSelector(call.query.get('labelSelector') ?? '');
  const fields = parseFieldSelector(call.query.get('fieldSelector') ?? '');
  checkFieldSelector(fields, definition, definition.custom?.selectableFields);
  const name = call.name ?? nameInFieldSelector(fields);
  const pinned = name !== undefined && (namespace !== undefined || !definition.namespaced);
  return {
    namespace,
    name,
    key: pinned ? cacheKey(name, namespace) : undefined,
    matches: (object) =>
      (namespace === undefined || object.metadata.namespace === namespace) &&
      (call.name === undefined || object.metadata.name === call.name) &&
      labelsMatch(labels, object) &&
      fieldsMatch(fields, call, object),
  };
}

function labelsMatch(selector: LabelSelector, object: KubeObject): boolean {
  return selector.requirements.length === 0 || labelSelectorMatches(selector, object.metadata.labels);
}

/** Fields are those of the version that was asked for. */
function fieldsMatch(selector: FieldSelector, { definition }: ApiCall, object: KubeObject): boolean {
  return selector.requirements.length === 0 || fieldSelectorMatches(selector, fromStorage(object, definition));
}
