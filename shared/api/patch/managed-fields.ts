/**
 * Server-side apply: who set which fields, conflicts between managers, and what leaves the object because its manager no
 * longer wants it (Kubernetes documentation, "Server-Side Apply"). Works on objects as JSON, before defaults.
 */
import type { JsonObject, KubeObject, ManagedFieldsEntry } from '../object.ts';
import type { MergeType } from '../schema/merge-type.ts';
import { ApiError, badRequest } from '../status.ts';
import { type FieldPath, FieldSet, pathText } from './field-set.ts';
import {
  checkKeys,
  type Difference,
  differenceOf,
  fieldsOf,
  isSameAt,
  mergeValues,
  removePaths,
} from './typed-value.ts';

/** Who writes, and how it is noted. */
export interface Writer {
  /** `kubectl`, `kube-controller-manager`. */
  readonly manager: string;
  /** Version of the object that the writer speaks. */
  readonly apiVersion: string;
  readonly subresource?: string;
  /** RFC 3339. */
  readonly time: string;
}

type Operation = 'Apply' | 'Update';

interface Manager {
  readonly entry: ManagedFieldsEntry;
  readonly fields: FieldSet;
}

/** Fields that no one manages: they name the object, or the server sets them. */
const UNMANAGED = FieldSet.of([
  ['f:apiVersion'],
  ['f:kind'],
  ['f:metadata', 'f:creationTimestamp'],
  ['f:metadata', 'f:deletionGracePeriodSeconds'],
  ['f:metadata', 'f:deletionTimestamp'],
  ['f:metadata', 'f:generation'],
  ['f:metadata', 'f:managedFields'],
  ['f:metadata', 'f:name'],
  ['f:metadata', 'f:namespace'],
  ['f:metadata', 'f:resourceVersion'],
  ['f:metadata', 'f:selfLink'],
  ['f:metadata', 'f:uid'],
]);

const BARE_METADATA = FieldSet.of([['f:metadata']]);

function managedFieldsOf(object: JsonObject, type: MergeType): FieldSet {
  return managed(fieldsOf(object, type));
}

function managed(all: FieldSet): FieldSet {
  const fields = all.withoutBranches(UNMANAGED);
  // A metadata object that holds nothing else says nothing.
  return fields.without(BARE_METADATA);
}

/**
 * The live object with the applied configuration laid over it, and its new managedFields in the metadata. `live` is
 * undefined for a new object. Throws Conflict (409) naming each field and its manager, unless `force` takes them over.
 */
export function applyConfiguration(
  live: KubeObject | undefined,
  applied: KubeObject,
  type: MergeType,
  writer: Writer,
  force: boolean,
): KubeObject {
  if ((applied.metadata.managedFields ?? []).length > 0) throw badRequest('metadata.managedFields must be nil');
  const { managedFields: _, ...metadata } = applied.metadata;
  const wanted = { ...applied, metadata };
  checkKeys(wanted, type);
  const fields = managedFieldsOf(wanted, type);
  const managers = live === undefined ? [] : readManagers(live, type, writer);
  const mine = managers.find(({ entry }) => isEntryOf(entry, writer, 'Apply'));
  const others = managers.filter((manager) => manager !== mine);
  const base = live ?? ({ metadata: {} } as KubeObject);
  const merged = mergeValues(base, wanted, type) as KubeObject;
  const conflicts = others.map((manager) => conflictsWith(manager, fields, base, merged, type));
  if (!force && conflicts.some((paths) => paths.length > 0)) throw applyConflict(others, conflicts);
  const remaining = others.map(({ entry, fields: owned }, i) => ({
    entry,
    fields: owned.without(FieldSet.of(conflicts[i]!)),
  }));
  const dropped = mine === undefined ? new FieldSet() : abandoned(mine.fields.without(fields), remaining);
  const result = removePaths(merged, type, dropped) as KubeObject;
  const entry = entryOf(writer, 'Apply', isUnchanged(mine, fields, live, result, type) ? mine : undefined);
  return withManagers(result, [...remaining, { entry, fields }]);
}

function isUnchanged(
  mine: Manager | undefined,
  fields: FieldSet,
  live: KubeObject | undefined,
  result: KubeObject,
  type: MergeType,
): boolean {
  if (mine === undefined || live === undefined || !mine.fields.equals(fields)) return false;
  return fields.paths().every((path) => isSameAt(live, result, type, path));
}

/** Fields that the configuration sets to something else than the manager did. */
function conflictsWith(
  { fields: owned }: Manager,
  fields: FieldSet,
  live: KubeObject,
  merged: KubeObject,
  type: MergeType,
): FieldPath[] {
  return fields
    .paths()
    .filter((path) => owned.has(path) && !isContainer(fields, path) && !isSameAt(live, merged, type, path));
}

/** An element of a keyed list is in conflict by its fields, not by being there. */
function isContainer(fields: FieldSet, path: FieldPath): boolean {
  return (fields.at(path)?.children.size ?? 0) > 0;
}

/** Of what the manager gave up, that which nobody else holds, neither itself nor anything below it. */
function abandoned(given: FieldSet, others: readonly Manager[]): FieldSet {
  return FieldSet.of(given.paths().filter((path) => others.every(({ fields }) => fields.at(path)?.isEmpty() ?? true)));
}

/**
 * `updated` with the managedFields that a create (without `live`) or an update by the writer leads to: the writer takes
 * the fields it changed, what is gone is nobody's.
 */
export function trackUpdate(
  live: KubeObject | undefined,
  updated: KubeObject,
  type: MergeType,
  writer: Writer,
): KubeObject {
  const { managedFields: sent, ...metadata } = updated.metadata;
  const object = { ...updated, metadata };
  const isReset = sent !== undefined && sent.length === 1 && Object.keys(sent[0]!).length === 0;
  const managers = live === undefined || isReset ? [] : readManagers(live, type, undefined);
  const { changed, gone } = managedDifference(live, object, type);
  if (changed.isEmpty() && gone.isEmpty()) return withManagers(object, managers);
  const kept = managers.map(({ entry, fields: owned }) => ({
    entry,
    fields: isEntryOf(entry, writer, 'Update') ? owned.without(gone) : owned.without(changed).without(gone),
  }));
  const mine = kept.find(({ entry }) => isEntryOf(entry, writer, 'Update'));
  const all = mine === undefined ? changed : mine.fields.union(changed);
  const others = kept.filter((manager) => manager !== mine);
  const entry = entryOf(writer, 'Update', changed.isEmpty() ? mine : undefined);
  return withManagers(object, [...others, { entry, fields: all }]);
}

function managedDifference(live: KubeObject | undefined, object: JsonObject, type: MergeType): Difference {
  if (live === undefined) return { changed: managedFieldsOf(object, type), gone: new FieldSet() };
  const { changed, gone } = differenceOf(live, object, type);
  return { changed: managed(changed), gone: managed(gone) };
}

/** The manager of all that was there before fields were tracked. */
const BEFORE_FIRST_APPLY = 'before-first-apply';

function readManagers(live: KubeObject, type: MergeType, applier: Writer | undefined): Manager[] {
  const entries = live.metadata.managedFields ?? [];
  if (entries.length > 0) return entries.map((entry) => ({ entry, fields: FieldSet.fromFieldsV1(entry.fieldsV1) }));
  if (applier === undefined) return [];
  const fields = managedFieldsOf(live, type);
  return [{ entry: entryOf({ ...applier, manager: BEFORE_FIRST_APPLY }, 'Update', undefined), fields }];
}

function isEntryOf(entry: ManagedFieldsEntry, writer: Writer, operation: Operation): boolean {
  return (
    entry.manager === writer.manager &&
    entry.operation === operation &&
    (entry.subresource ?? '') === (writer.subresource ?? '') &&
    (operation === 'Apply' || entry.apiVersion === writer.apiVersion)
  );
}

function entryOf(writer: Writer, operation: Operation, unchanged: Manager | undefined): ManagedFieldsEntry {
  const { manager, apiVersion, subresource, time } = writer;
  return {
    manager,
    operation,
    apiVersion,
    time: unchanged?.entry.time ?? time,
    fieldsType: 'FieldsV1',
    ...(subresource === undefined ? {} : { subresource }),
  };
}

function withManagers(object: KubeObject, managers: readonly Manager[]): KubeObject {
  const entries = managers
    .filter(({ fields }) => !fields.isEmpty())
    .map(({ entry, fields }) => ({ ...entry, fieldsV1: fields.toFieldsV1() }));
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata: entries.length === 0 ? metadata : { ...metadata, managedFields: entries } };
}

function applyConflict(managers: readonly Manager[], conflicts: readonly (readonly FieldPath[])[]): ApiError {
  const all = managers.flatMap(({ entry }, i) =>
    conflicts[i]!.map((path) => ({ who: managerText(entry), path: pathText(path) })),
  );
  const causes = all.map(({ who, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${who}`,
    field: path,
  }));
  return new ApiError(409, 'Conflict', conflictText(all), { causes });
}

function conflictText(all: readonly { readonly who: string; readonly path: string }[]): string {
  if (all.length === 1) return `Apply failed with 1 conflict: conflict with ${all[0]!.who}: ${all[0]!.path}`;
  const names = [...new Set(all.map(({ who }) => who))].sort();
  const parts = names.flatMap((name) => [
    `conflicts with ${name}:`,
    ...all.filter(({ who }) => who === name).map(({ path }) => `- ${path}`),
  ]);
  return `Apply failed with ${all.length} conflicts: ${parts.join('\n')}`;
}

function managerText({ manager, subresource, operation, apiVersion, time }: ManagedFieldsEntry): string {
  const name = `${JSON.stringify(manager)}${subresource ? ` with subresource ${JSON.stringify(subresource)}` : ''}`;
  if (operation !== 'Update') return name;
  return time === undefined ? `${name} using ${apiVersion}` : `${name} using ${apiVersion} at ${time}`;
}
