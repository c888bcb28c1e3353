/** Claims and volumes, stored for the clients that make them (Kubernetes API reference, "PersistentVolumeClaim"). */
import type { PersistentVolumeClaimSpec, PersistentVolumeSpec } from 'kubernetes-types/core/v1.js';
import type { FieldError } from '../status.ts';
import { requiredValue } from './field-error.ts';
import { each, oneOf, type TypeRules } from './rule.ts';

const accessModes = each(oneOf('ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'));
const volumeMode = oneOf('Block', 'Filesystem');

function modeErrors(modes: readonly string[] | undefined, path: string): FieldError[] {
  return modes?.length ? [] : [requiredValue(`${path}.accessModes`, 'at least 1 access mode is required')];
}

function claimErrors({ accessModes: modes, resources }: PersistentVolumeClaimSpec, path: string): FieldError[] {
  const storage = resources?.requests?.storage;
  return [...modeErrors(modes, path), ...(storage === undefined ? [requiredValue(`${path}.resources[storage]`)] : [])];
}

function volumeErrors({ accessModes: modes, capacity }: PersistentVolumeSpec, path: string): FieldError[] {
  return [...modeErrors(modes, path), ...(capacity === undefined ? [requiredValue(`${path}.capacity`)] : [])];
}

export const STORAGE_RULES: Readonly<Record<string, TypeRules>> = {
  'core.v1.PersistentVolumeClaimSpec': { fields: { accessModes, volumeMode }, object: claimErrors },
  'core.v1.PersistentVolumeSpec': {
    fields: { accessModes, volumeMode, persistentVolumeReclaimPolicy: oneOf('Delete', 'Recycle', 'Retain') },
    object: volumeErrors,
  },
};
