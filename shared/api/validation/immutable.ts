/** What an update may not change, by kind (each kind's API reference). */
import type { Job } from 'kubernetes-types/batch/v1.js';
import type { ConfigMap, PersistentVolumeClaim, Pod, PodSpec, Secret } from 'kubernetes-types/core/v1.js';
import { isSame } from '../json-equality.ts';
import { fieldAt, type KubeObject } from '../object.ts';
import type { FieldError } from '../status.ts';
import { forbiddenValue, IMMUTABLE, invalidValue } from './field-error.ts';
import { nodeChangeErrors } from './node.ts';
import { serviceChangeErrors } from './service.ts';
import { volumeChangeErrors } from './storage.ts';

/** Paths whose value stays what it was, by the type's name. */
const IMMUTABLE_FIELDS: Readonly<Record<string, readonly string[]>> = {
  'apps.v1.ControllerRevision': ['data'],
  'apps.v1.DaemonSet': ['spec.selector'],
  'apps.v1.Deployment': ['spec.selector'],
  'apps.v1.ReplicaSet': ['spec.selector'],
  'batch.v1.Job': ['spec.selector', 'spec.template', 'spec.completionMode', 'spec.podFailurePolicy'],
  'core.v1.ResourceQuota': ['spec.scopes'],
  'core.v1.Secret': ['type'],
  'discovery.v1.EndpointSlice': ['addressType'],
  'networking.v1.IPAddress': ['spec.parentRef'],
  'networking.v1.IngressClass': ['spec.controller'],
  'node.v1.RuntimeClass': ['handler'],
  'scheduling.v1.PriorityClass': ['value', 'preemptionPolicy'],
  'storage.v1.StorageClass': ['parameters', 'provisioner', 'reclaimPolicy', 'volumeBindingMode'],
  'storage.v1.VolumeAttachment': ['spec'],
  'apiextensions.v1.CustomResourceDefinition': ['spec.group', 'spec.names.kind', 'spec.names.plural', 'spec.scope'],
};

type UpdateCheck = (object: never, old: never) => FieldError[];

const UPDATE_CHECKS: Readonly<Record<string, UpdateCheck>> = {
  'apps.v1.StatefulSet': statefulSetErrors,
  'batch.v1.Job': jobErrors,
  'core.v1.ConfigMap': configMapErrors,
  'core.v1.PersistentVolumeClaim': claimErrors,
  'core.v1.Node': nodeChangeErrors,
  'core.v1.PersistentVolume': volumeChangeErrors,
  'core.v1.Pod': podErrors,
  'core.v1.Secret': secretErrors,
  'core.v1.Service': serviceChangeErrors,
  'rbac.v1.ClusterRoleBinding': roleBindingErrors,
  'rbac.v1.RoleBinding': roleBindingErrors,
};

export function immutabilityErrors(object: KubeObject, old: KubeObject, typeName: string): FieldError[] {
  const errors = (IMMUTABLE_FIELDS[typeName] ?? []).flatMap((path) => {
    const steps = path.split('.');
    const value = fieldAt(object, ...steps);
    return isSame(value, fieldAt(old, ...steps)) ? [] : [invalidValue(path, value, IMMUTABLE)];
  });
  // Both objects were decoded as this very type.
  return [...errors, ...(UPDATE_CHECKS[typeName]?.(object as never, old as never) ?? [])];
}

const POD_SPEC_CHANGED =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

function podErrors({ spec }: Pod, { spec: old }: Pod): FieldError[] {
  if (spec === undefined || old === undefined) return [];
  const errors: FieldError[] = [];
  if ((spec.containers ?? []).length !== (old.containers ?? []).length) {
    return [forbiddenValue('spec.containers', 'pod updates may not add or remove containers')];
  }
  if (old.activeDeadlineSeconds !== undefined && !isShortened(spec.activeDeadlineSeconds, old.activeDeadlineSeconds)) {
    errors.push(
      invalidValue(
        'spec.activeDeadlineSeconds',
        spec.activeDeadlineSeconds,
        `must be less than or equal to previous value`,
      ),
    );
  }
  const tolerationsKept = (old.tolerations ?? []).every((toleration) =>
    (spec.tolerations ?? []).some((candidate) => isSame(candidate, toleration)),
  );
  if (!tolerationsKept)
    errors.push(
      forbiddenValue('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds'),
    );
  if (!isSame(frozenPart(spec, old), frozenPart(old, old))) errors.push(forbiddenValue('spec', POD_SPEC_CHANGED));
  return errors;
}

function isShortened(seconds: number | undefined, oldSeconds: number): boolean {
  return seconds !== undefined && seconds <= oldSeconds;
}

/** A gated pod may still be given to fewer nodes; ephemeral containers and sizes have subresources of their own. */
function frozenPart(spec: PodSpec, old: PodSpec): object {
  const {
    containers,
    initContainers,
    activeDeadlineSeconds: _deadline,
    tolerations: _tolerations,
    schedulingGates: _gates,
    terminationGracePeriodSeconds: _grace,
    ...rest
  } = spec;
  const wasGated = ((old as { readonly schedulingGates?: readonly unknown[] }).schedulingGates ?? []).length > 0;
  const frozen = wasGated ? { ...rest, nodeSelector: undefined, affinity: undefined } : rest;
  return { ...frozen, containers: withoutImages(containers), initContainers: withoutImages(initContainers) };
}

function withoutImages(containers: PodSpec['initContainers']): object[] {
  return (containers ?? []).map(({ image: _, ...rest }) => rest);
}

/** Ephemeral containers are only ever added. Both objects are Pods. */
export function ephemeralContainerErrors(object: KubeObject, old: KubeObject): FieldError[] {
  const containers = new Map(
    (object as Pod).spec?.ephemeralContainers?.map((container) => [container.name, container]),
  );
  return ((old as Pod).spec?.ephemeralContainers ?? []).flatMap((before) => {
    const after = containers.get(before.name);
    if (isSame(before, after)) return [];
    const what = after === undefined ? 'removed' : 'changed';
    const detail = `existing ephemeral containers ${JSON.stringify(before.name)} may not be ${what}`;
    return [forbiddenValue('spec.ephemeralContainers', detail)];
  });
}

const FROZEN = 'field is immutable when `immutable` is set';

interface Freezable {
  readonly immutable?: boolean;
  readonly data?: unknown;
  readonly binaryData?: unknown;
}

function frozenDataErrors(object: Freezable, old: Freezable, fields: readonly (keyof Freezable)[]): FieldError[] {
  if (!old.immutable) return [];
  const errors = object.immutable ? [] : [forbiddenValue('immutable', FROZEN)];
  const changed = fields.filter((field) => !isSame(object[field], old[field]));
  return [...errors, ...changed.map((field) => forbiddenValue(field, FROZEN))];
}

function configMapErrors(object: ConfigMap, old: ConfigMap): FieldError[] {
  return frozenDataErrors(object, old, ['data', 'binaryData']);
}

function secretErrors(object: Secret, old: Secret): FieldError[] {
  return frozenDataErrors(object, old, ['data']);
}

const STATEFUL_SET_MUTABLE = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
];

function statefulSetErrors(object: KubeObject, old: KubeObject): FieldError[] {
  const frozen = ({ spec }: KubeObject): object =>
    Object.fromEntries(Object.entries(spec ?? {}).filter(([field]) => !STATEFUL_SET_MUTABLE.includes(field)));
  if (isSame(frozen(object), frozen(old))) return [];
  const list = STATEFUL_SET_MUTABLE.map((field) => `'${field}'`);
  return [
    forbiddenValue(
      'spec',
      `updates to statefulset spec for fields other than ${list.slice(0, -1).join(', ')} and ${list.at(-1)} are forbidden`,
    ),
  ];
}

/** The number of an Indexed Job changes with its parallelism; of others it never does. */
function jobErrors({ spec }: Job, { spec: old }: Job): FieldError[] {
  const { completions, parallelism, completionMode } = spec ?? {};
  if (completions === old?.completions) return [];
  const at = 'spec.completions';
  if (completionMode !== 'Indexed') return [invalidValue(at, completions, IMMUTABLE)];
  return completions === parallelism
    ? []
    : [invalidValue(at, completions, 'can only be modified in tandem with spec.parallelism')];
}

const CLAIM_CHANGED =
  'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';

/** It is bound once, and what it asks for may grow. */
function claimErrors({ spec }: PersistentVolumeClaim, { spec: old }: PersistentVolumeClaim): FieldError[] {
  const frozen = (of: PersistentVolumeClaim['spec']) => ({
    ...of,
    resources: { ...of?.resources, requests: undefined },
    volumeName: old?.volumeName ? of?.volumeName : undefined,
  });
  return isSame(frozen(spec), frozen(old)) ? [] : [forbiddenValue('spec', CLAIM_CHANGED)];
}

function roleBindingErrors(object: KubeObject, old: KubeObject): FieldError[] {
  return isSame(object.roleRef, old.roleRef) ? [] : [invalidValue('roleRef', object.roleRef, 'cannot change roleRef')];
}
