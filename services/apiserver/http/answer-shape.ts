/** The body of an answer in the shape that the client asked for: whole objects, a Table, or metadata only. */
import {
  partialMetadata,
  printerOf,
  printerOfCustomResource,
  type Table,
  type TableOptions,
  tableOf,
} from '../../../shared/api/columns/table.ts';
import { toStorage } from '../../../shared/api/conversion/convert.ts';
import type { KubeObject } from '../../../shared/api/object.ts';
import { findResource, type ResourceDefinition } from '../../../shared/api/registry.ts';
import { apiVersionOf } from '../../../shared/api/resource.ts';
import type { ApiAnswer, ObjectList } from '../registry/api-call.ts';

import type { Shape } from './negotiation.ts';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

export type ObjectAnswer = Exclude<ApiAnswer, { readonly kind: 'status' }>;

/** A Scale, a TokenRequest and the like have no columns of their own. */
export function isForeign(answer: ObjectAnswer, definition: ResourceDefinition): boolean {
  return answer.kind === 'object' && answer.object.kind !== definition.kind;
}

/** An answer that is not told in whole objects. */
export function shapeAnswer(
  answer: ObjectAnswer,
  definition: ResourceDefinition,
  shape: Exclude<Shape, { kind: 'object' }>,
  includeObject: IncludeObject,
  nowMs: number,
): unknown {
  const items = answer.kind === 'list' ? answer.list.items : [answer.object];
  const metadata =
    answer.kind === 'list' ? listMetadata(answer.list) : { resourceVersion: answer.object.metadata.resourceVersion };
  if (shape.kind === 'table') {
    return objectTable(definition, items, { version: shape.version, includeObject, listMeta: metadata, nowMs });
  }
  if (answer.kind === 'object') return partialMetadata(answer.object, shape.version);
  return {
    kind: 'PartialObjectMetadataList',
    apiVersion: `meta.k8s.io/${shape.version}`,
    metadata,
    items: items.map((item) => partialMetadata(item, shape.version)),
  };
}

/** A list as the API spells it, with its items. */
export function listBody(list: ObjectList, definition: ResourceDefinition): Record<string, unknown> {
  return { ...listHead(list, definition), items: list.items };
}

/** The same without its items. */
export function listHead(list: ObjectList, definition: ResourceDefinition): Record<string, unknown> {
  return { kind: definition.listKind, apiVersion: apiVersionOf(definition), metadata: listMetadata(list) };
}

function listMetadata(list: ObjectList): Record<string, unknown> {
  return {
    resourceVersion: list.resourceVersion,
    ...(list.continueToken === undefined ? {} : { continue: list.continueToken }),
    ...(list.remainingItemCount === undefined ? {} : { remainingItemCount: list.remainingItemCount }),
  };
}

/** Columns are those of the stored version, which all versions of a kind share. */
export function objectTable(
  definition: ResourceDefinition,
  items: readonly KubeObject[],
  options: TableOptions,
): Table {
  const { custom } = definition;
  if (custom !== undefined) return tableOf(printerOfCustomResource(custom.printerColumns), items, options);
  const { group, version, resource } = definition.storage;
  const stored = findResource(group, version, resource) ?? definition;
  const objects = stored === definition ? items : items.map((item) => toStorage(item, definition));
  return tableOf(printerOf(stored.schema), objects, options);
}
