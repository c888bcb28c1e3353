/** Claims and volumes, stored for the clients that make them (Kubernetes API reference, "PersistentVolumeClaim", "PersistentVolume"). */
import type { PersistentVolume, PersistentVolumeClaimSpec, PersistentVolumeSpec } from 'kubernetes-types/core/v1.js';
import { isSame } from '../json-equality.ts';
import { parseQuantity } from '../quantity.ts';
import type { FieldError } from '../status.ts';
import { forbiddenValue, IMMUTABLE, invalidValue, requiredValue, unsupportedValue } from './field-error.ts';
import { each, oneOf, type TypeRules } from './rule.ts';

const accessModes = each(oneOf('ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'));
const volumeMode = oneOf('Block', 'Filesystem');
/** All other fields of a volume's spec name what it is made of. */
const NOT_A_SOURCE = new Set([
  'accessModes',
  'capacity',
  'claimRef',
  'mountOptions',
  'nodeAffinity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
]);

function modeErrors(modes: readonly string[] | undefined, path: string, detail: string): FieldError[] {
  if (!modes?.length) return [requiredValue(`${path}.accessModes`, detail)];
  if (modes.length === 1 || !modes.includes('ReadWriteOncePod')) return [];
  const text = 'may not use ReadWriteOncePod with other access modes';
  return [forbiddenValue(`${path}.accessModes`, text)];
}

function claimErrors({ accessModes: modes, resources }: PersistentVolumeClaimSpec, path: string): FieldError[] {
  const storage = resources?.requests?.storage;
  const errors = modeErrors(modes, path, 'at least 1 access mode is required');
  if (storage === undefined) return [...errors, requiredValue(`${path}.resources[storage]`)];
  return [...errors, ...amountErrors(storage, `${path}.resources.requests.storage`)];
}

function amountErrors(text: string, path: string): FieldError[] {
  const quantity = parseQuantity(String(text));
  return quantity !== undefined && quantity.nano <= 0n ? [invalidValue(path, text, 'must be greater than zero')] : [];
}

function volumeErrors(spec: PersistentVolumeSpec, path: string): FieldError[] {
  const { accessModes: modes, capacity, nodeAffinity, persistentVolumeReclaimPolicy, hostPath } = spec;
  const errors = modeErrors(modes, path, '');
  errors.push(...capacityErrors(capacity, `${path}.capacity`));
  const [first, ...more] = sourcesOf(spec);
  if (first === undefined) errors.push(requiredValue(path, 'must specify a volume type'));
  errors.push(...more.map((name) => forbiddenValue(`${path}.${name}`, 'may not specify more than 1 volume type')));
  if (first === 'local' && nodeAffinity === undefined) {
    errors.push(requiredValue(`${path}.nodeAffinity`, 'Local volume requires node affinity'));
  }
  if (hostPath?.path === '/' && persistentVolumeReclaimPolicy === 'Recycle') {
    const detail = "may not be 'recycle' for a hostPath mount of '/'";
    errors.push(forbiddenValue(`${path}.persistentVolumeReclaimPolicy`, detail));
  }
  return errors;
}

function capacityErrors(capacity: Readonly<Record<string, string>> = {}, path: string): FieldError[] {
  const names = Object.keys(capacity);
  if (names.length === 0) return [requiredValue(path)];
  if (names.length > 1 || capacity.storage === undefined) return [unsupportedValue(path, capacity, ['storage'])];
  return amountErrors(capacity.storage, `${path}[storage]`);
}

function sourcesOf(spec: PersistentVolumeSpec): string[] {
  return Object.entries(spec).flatMap(([name, value]) =>
    NOT_A_SOURCE.has(name) || value === undefined || value === null ? [] : [name],
  );
}

/** What a volume is made of, and how it is seen, stays. */
export function volumeChangeErrors(
  { spec = {} }: PersistentVolume,
  { spec: old = {} }: PersistentVolume,
): FieldError[] {
  const errors: FieldError[] = [];
  const madeOf = (of: PersistentVolumeSpec) =>
    Object.fromEntries(Object.entries(of).filter(([name]) => !NOT_A_SOURCE.has(name)));
  if (!isSame(madeOf(spec), madeOf(old))) {
    const detail = 'spec.persistentvolumesource is immutable after creation';
    errors.push(forbiddenValue('spec.persistentvolumesource', detail));
  }
  if (!isSame(spec.volumeMode, old.volumeMode))
    errors.push(invalidValue('spec.volumeMode', spec.volumeMode, IMMUTABLE));
  if (old.nodeAffinity !== undefined && !isSame(spec.nodeAffinity, old.nodeAffinity)) {
    errors.push(invalidValue('spec.nodeAffinity', spec.nodeAffinity, IMMUTABLE));
  }
  return errors;
}

export const STORAGE_RULES: Readonly<Record<string, TypeRules>> = {
  'core.v1.PersistentVolumeClaimSpec': { fields: { accessModes, volumeMode }, object: claimErrors },
  'core.v1.PersistentVolumeSpec': {
    fields: { accessModes, volumeMode, persistentVolumeReclaimPolicy: oneOf('Delete', 'Recycle', 'Retain') },
    object: volumeErrors,
  },
};
