/** Whether the names of a definition are free, and what its status says of it (API reference, CustomResourceDefinition). */
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionCondition,
  CustomResourceDefinitionStatus,
} from 'kubernetes-types/apiextensions/v1.js';

/** Holds a definition that is deleted until its objects are gone. */
export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

type Condition = Omit<CustomResourceDefinitionCondition, 'lastTransitionTime'>;

const ACCEPTED: Condition = {
  type: 'NamesAccepted',
  status: 'True',
  reason: 'NoConflicts',
  message: 'no conflicts found',
};
const ESTABLISHED: Condition = {
  type: 'Established',
  status: 'True',
  reason: 'InitialNamesAccepted',
  message: 'the initial names have been accepted',
};
const NOT_ESTABLISHED: Condition = {
  type: 'Established',
  status: 'False',
  reason: 'NotAccepted',
  message: 'not all names are accepted',
};
const TERMINATING: Condition = {
  type: 'Terminating',
  status: 'True',
  reason: 'InstanceDeletionInProgress',
  message: 'CustomResource deletion is in progress',
};

/** The status of a definition beside `others`, which came before it; `now` is a timestamp. */
export function definitionStatus(
  definition: CustomResourceDefinition,
  others: readonly CustomResourceDefinition[],
  now: string,
): CustomResourceDefinitionStatus {
  const { spec, status: old } = definition;
  const conflict = nameConflict(definition, others);
  const wasEstablished = old?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True');
  const established = conflict === undefined || wasEstablished === true;
  const stored = spec.versions.filter(({ storage }) => storage).map(({ name }) => name);
  const conditions = [conflict ?? ACCEPTED, established ? ESTABLISHED : NOT_ESTABLISHED];
  if (definition.metadata?.deletionTimestamp !== undefined) conditions.push(TERMINATING);
  return {
    acceptedNames: conflict === undefined ? spec.names : (old?.acceptedNames ?? { kind: '', plural: '' }),
    conditions: conditions.map((condition) => timed(condition, old?.conditions ?? [], now)),
    storedVersions: [...new Set([...(old?.storedVersions ?? []), ...stored])],
  };
}

/** A condition keeps the time at which it last changed. */
function timed(
  condition: Condition,
  old: readonly CustomResourceDefinitionCondition[],
  now: string,
): CustomResourceDefinitionCondition {
  const before = old.find(({ type }) => type === condition.type);
  const since = before?.status === condition.status ? before.lastTransitionTime : undefined;
  return { ...condition, lastTransitionTime: since ?? now };
}

function nameConflict(
  { spec, metadata }: CustomResourceDefinition,
  others: readonly CustomResourceDefinition[],
): Condition | undefined {
  const inGroup = others.filter((other) => other.spec.group === spec.group && other.metadata?.name !== metadata?.name);
  const accepted = inGroup.flatMap(({ status }) => (status?.acceptedNames === undefined ? [] : [status.acceptedNames]));
  const resources = new Set(
    accepted.flatMap(({ plural, singular, shortNames }) => [plural, singular ?? '', ...(shortNames ?? [])]),
  );
  const kinds = new Set(accepted.flatMap(({ kind, listKind }) => [kind, listKind ?? '']));
  const { plural, singular = '', shortNames = [], kind, listKind = '' } = spec.names;
  const conflicts: [string, string][] = [];
  if (resources.has(plural)) conflicts.push(['PluralConflict', plural]);
  if (singular !== '' && resources.has(singular)) conflicts.push(['SingularConflict', singular]);
  for (const name of shortNames) if (resources.has(name)) conflicts.push(['ShortNamesConflict', name]);
  if (kinds.has(kind)) conflicts.push(['KindConflict', kind]);
  if (listKind !== '' && kinds.has(listKind)) conflicts.push(['ListKindConflict', listKind]);
  // As in the original, the last one is told.
  const last = conflicts.at(-1);
  if (last === undefined) return undefined;
  const [reason, name] = last;
  return { type: 'NamesAccepted', status: 'False', reason, message: `${JSON.stringify(name)} is already in use` };
}
