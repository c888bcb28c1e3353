/** Metadata: the name by kind, labels, annotations, owners, finalizers. */
import {
  dns1035LabelErrors,
  dns1123LabelErrors,
  dns1123SubdomainErrors,
  pathSegmentNameErrors,
  qualifiedNameErrors,
} from '../name-format.ts';
import type { KubeObject, ObjectMeta } from '../object.ts';
import type { ResourceRef } from '../resource.ts';
import { CUSTOMRESOURCEDEFINITIONS } from '../resources.ts';
import type { FieldError } from '../status.ts';
import { forbiddenValue, invalidValue, requiredValue } from './field-error.ts';
import { ipErrors } from './ip.ts';
import { annotations, labels } from './labels.ts';

type NameCheck = (name: string) => string[];

/** Leaves room for what the controller appends to a job's name. */
const CRON_JOB_NAME_MAX_LENGTH = 52;

function cronJobNameErrors(name: string): string[] {
  const errors = dns1123SubdomainErrors(name);
  if (name.length > CRON_JOB_NAME_MAX_LENGTH)
    errors.push(`must be no more than ${CRON_JOB_NAME_MAX_LENGTH} characters`);
  return errors;
}

/** A name stands in a subject of the store, three characters a byte at worst, and a NATS server takes no line over 4096. */
const MAX_NAME_BYTES = 1024;

function roleNameErrors(name: string): string[] {
  const errors = pathSegmentNameErrors(name);
  const bytes = new TextEncoder().encode(name).length;
  return bytes > MAX_NAME_BYTES ? [...errors, `must be no more than ${MAX_NAME_BYTES} bytes`] : errors;
}

/** By `group/resource`; DNS subdomains are what the others have. */
const NAME_CHECKS: Readonly<Record<string, NameCheck>> = {
  '/namespaces': dns1123LabelErrors,
  '/services': dns1035LabelErrors,
  'apps/statefulsets': dns1123LabelErrors,
  'batch/cronjobs': cronJobNameErrors,
  'networking.k8s.io/ipaddresses': ipErrors,
  'rbac.authorization.k8s.io/clusterrolebindings': roleNameErrors,
  'rbac.authorization.k8s.io/clusterroles': roleNameErrors,
  'rbac.authorization.k8s.io/rolebindings': roleNameErrors,
  'rbac.authorization.k8s.io/roles': roleNameErrors,
};

export function nameErrors(resource: Pick<ResourceRef, 'group' | 'resource'>, name: string): string[] {
  return (NAME_CHECKS[`${resource.group}/${resource.resource}`] ?? dns1123SubdomainErrors)(name);
}

/** Custom resources say so. */
type AnyResource = ResourceRef & { readonly custom?: unknown };

export function metadataErrors(resource: AnyResource, { metadata }: KubeObject): FieldError[] {
  return [
    ...identityErrors(resource, metadata),
    ...(metadata.labels === undefined ? [] : labels(metadata.labels, 'metadata.labels')),
    ...(metadata.annotations === undefined ? [] : annotations(metadata.annotations, 'metadata.annotations')),
    ...ownerErrors(metadata),
    ...finalizerErrors(resource, metadata),
  ];
}

function identityErrors(resource: ResourceRef, { name, generateName, namespace }: ObjectMeta): FieldError[] {
  const errors: FieldError[] = [];
  if (generateName) {
    // What follows the prefix starts with a letter or digit, so a dash at its end is no fault.
    const prefix = generateName.replace(/[-.]$/, 'a');
    errors.push(
      ...nameErrors(resource, prefix).map((text) => invalidValue('metadata.generateName', generateName, text)),
    );
  }
  if (!name) errors.push(requiredValue('metadata.name', 'name or generateName is required'));
  else errors.push(...nameErrors(resource, name).map((text) => invalidValue('metadata.name', name, text)));
  if (!resource.namespaced && namespace) errors.push(forbiddenValue('metadata.namespace', 'not allowed on this type'));
  if (resource.namespaced && !namespace) errors.push(requiredValue('metadata.namespace'));
  if (namespace) {
    errors.push(...dns1123LabelErrors(namespace).map((text) => invalidValue('metadata.namespace', namespace, text)));
  }
  return errors;
}

function ownerErrors({ ownerReferences = [] }: ObjectMeta): FieldError[] {
  const path = 'metadata.ownerReferences';
  const errors = ownerReferences.flatMap((owner, i) => {
    const missing = (['apiVersion', 'kind', 'name', 'uid'] as const).filter((field) => !owner[field]);
    return missing.map((field) =>
      invalidValue(`${path}[${i}].${field}`, owner[field] ?? '', `${field} must not be empty`),
    );
  });
  const controllers = ownerReferences.filter(({ controller }) => controller === true);
  if (controllers.length > 1) {
    const [first, second] = controllers;
    errors.push(
      invalidValue(
        path,
        ownerReferences,
        `Only one reference can have Controller set to true. Found "true" in references for ${first!.kind}/${first!.name} and ${second!.kind}/${second!.name}`,
      ),
    );
  }
  return errors;
}

const STANDARD_FINALIZERS = new Set(['orphan', 'foregroundDeletion', 'kubernetes']);

function finalizerErrors(resource: AnyResource, { finalizers = [] }: ObjectMeta): FieldError[] {
  // The API server of extensions, unlike the core, takes any qualified name.
  const takesAny = resource.custom !== undefined || resource.group === CUSTOMRESOURCEDEFINITIONS.group;
  return finalizers.flatMap((finalizer, i) => {
    const path = `metadata.finalizers[${i}]`;
    const errors = qualifiedNameErrors(finalizer).map((text) => invalidValue(path, finalizer, text));
    if (errors.length > 0 || takesAny || finalizer.includes('/') || STANDARD_FINALIZERS.has(finalizer)) return errors;
    return [invalidValue(path, finalizer, 'name is neither a standard finalizer name nor is it fully qualified')];
  });
}
