/** ConfigMaps, Secrets, Leases, budgets, roles, autoscalers, definitions of custom resources. */

import type { CustomResourceDefinition } from 'kubernetes-types/apiextensions/v1.js';
import type { HorizontalPodAutoscalerSpec, MetricSpec } from 'kubernetes-types/autoscaling/v2.js';
import type { ConfigMap, Secret } from 'kubernetes-types/core/v1.js';
import type { PodDisruptionBudgetSpec } from 'kubernetes-types/policy/v1.js';
import type { Subject } from 'kubernetes-types/rbac/v1.js';
import type { PriorityClass } from 'kubernetes-types/scheduling/v1.js';
import { structuralSchemaOf } from '../custom-resource/structural-schema.ts';
import { structureErrors } from '../custom-resource/structure.ts';
import { configKeyErrors } from '../name-format.ts';
import type { FieldError } from '../status.ts';
import { forbiddenValue, invalidValue, requiredValue, tooLong, unsupportedValue } from './field-error.ts';
import { atLeast, dns1035Label, dnsSubdomain, oneOf, positive, type TypeRules } from './rule.ts';
import { countOrPercentage } from './workload.ts';

const MAXIMUM_DATA_BYTES = 1024 * 1024;

function keyErrors(data: Readonly<Record<string, string>>, field: string): FieldError[] {
  return Object.keys(data).flatMap((key) =>
    configKeyErrors(key).map((message) => invalidValue(`${field}[${key}]`, key, message)),
  );
}

function configMapErrors({ data = {}, binaryData = {} }: ConfigMap): FieldError[] {
  const errors = [...keyErrors(data, 'data'), ...keyErrors(binaryData, 'binaryData')];
  for (const key of Object.keys(data)) {
    if (Object.hasOwn(binaryData, key))
      errors.push(invalidValue(`data[${key}]`, key, 'duplicate of key present in binaryData'));
  }
  const characters = [...Object.values(data), ...Object.values(binaryData)].reduce((sum, text) => sum + text.length, 0);
  return characters > MAXIMUM_DATA_BYTES ? [...errors, tooLong('', MAXIMUM_DATA_BYTES)] : errors;
}

/** Keys that the well-known types of Secrets must hold. */
const SECRET_KEYS: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
};

const SERVICE_ACCOUNT_TOKEN = 'kubernetes.io/service-account-token';
const SERVICE_ACCOUNT_ANNOTATION = 'kubernetes.io/service-account.name';

function secretErrors({ metadata, type, data = {} }: Secret): FieldError[] {
  const errors = keyErrors(data, 'data');
  for (const key of SECRET_KEYS[type ?? ''] ?? []) {
    if (!Object.hasOwn(data, key)) errors.push(requiredValue(`data[${key}]`));
  }
  if (type === SERVICE_ACCOUNT_TOKEN && !metadata?.annotations?.[SERVICE_ACCOUNT_ANNOTATION]) {
    errors.push(requiredValue(`metadata.annotations[${SERVICE_ACCOUNT_ANNOTATION}]`));
  }
  const base64Characters = Object.values(data).reduce((sum, text) => sum + text.length, 0);
  return base64Characters * 0.75 > MAXIMUM_DATA_BYTES ? [...errors, tooLong('data', MAXIMUM_DATA_BYTES)] : errors;
}

function budgetErrors(spec: PodDisruptionBudgetSpec, path: string): FieldError[] {
  if (spec.minAvailable === undefined || spec.maxUnavailable === undefined) return [];
  return [invalidValue(path, spec, 'minAvailable and maxUnavailable cannot be both set')];
}

function autoscalerErrors({ minReplicas, maxReplicas }: HorizontalPodAutoscalerSpec, path: string): FieldError[] {
  if (minReplicas === undefined || maxReplicas >= minReplicas) return [];
  return [invalidValue(`${path}.maxReplicas`, maxReplicas, 'must be greater than or equal to `minReplicas`')];
}

const METRIC_SOURCES = {
  ContainerResource: 'containerResource',
  External: 'external',
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
} as const;

function metricErrors(metric: MetricSpec, path: string): FieldError[] {
  const source = METRIC_SOURCES[metric.type as keyof typeof METRIC_SOURCES];
  if (source === undefined) return [unsupportedValue(`${path}.type`, metric.type, Object.keys(METRIC_SOURCES))];
  if (metric[source] === undefined) {
    return [requiredValue(`${path}.${source}`, 'must populate information for the given metric source')];
  }
  return Object.values(METRIC_SOURCES)
    .filter((other) => other !== source && metric[other] !== undefined)
    .map((other) => forbiddenValue(`${path}.${other}`, 'must populate the given metric source only'));
}

const SYSTEM_PRIORITIES: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};
const MAXIMUM_USER_PRIORITY = 1_000_000_000;

function priorityClassErrors({ metadata, value }: PriorityClass): FieldError[] {
  const { name = '' } = metadata ?? {};
  if (SYSTEM_PRIORITIES[name] === value) return [];
  if (name.startsWith('system-')) {
    const reserved = "priority class names with 'system-' prefix are reserved for system use only";
    return [forbiddenValue('metadata.name', reserved)];
  }
  if (value <= MAXIMUM_USER_PRIORITY) return [];
  return [forbiddenValue('value', `maximum allowed value of a user defined priority is ${MAXIMUM_USER_PRIORITY}`)];
}

const RBAC_GROUP = 'rbac.authorization.k8s.io';

function subjectErrors({ kind, apiGroup = '', namespace }: Subject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const wanted = kind === 'ServiceAccount' ? '' : RBAC_GROUP;
  if (kind === 'ServiceAccount' && !namespace) errors.push(requiredValue(`${path}.namespace`));
  if (apiGroup !== wanted) errors.push(invalidValue(`${path}.apiGroup`, apiGroup, `must be ${JSON.stringify(wanted)}`));
  return errors;
}

/** What is missing although it is required, the schema has told already. */
function definitionErrors({ metadata, spec, status }: Partial<CustomResourceDefinition>): FieldError[] {
  if (spec?.names === undefined) return [];
  const { names, group, versions = [] } = spec;
  const errors: FieldError[] = [];
  const name = `${names.plural}.${group}`;
  if (metadata?.name && metadata.name !== name) {
    errors.push(invalidValue('metadata.name', metadata.name, 'must be spec.names.plural+"."+spec.group'));
  }
  if (versions.filter(({ storage }) => storage).length !== 1) {
    errors.push(invalidValue('spec.versions', versions, 'must have exactly one version marked as storage version'));
  }
  for (const [i, version] of versions.entries()) {
    if (version.schema?.openAPIV3Schema === undefined) {
      errors.push(requiredValue(`spec.versions[${i}].schema.openAPIV3Schema`, 'schemas are required'));
    } else {
      const schema = structuralSchemaOf(version.schema.openAPIV3Schema);
      errors.push(...structureErrors(schema, `spec.versions[${i}].schema.openAPIV3Schema`));
    }
  }
  for (const [i, name] of (status?.storedVersions ?? []).entries()) {
    if (versions.some((version) => version.name === name)) continue;
    const reason = `${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`;
    errors.push(invalidValue(`status.storedVersions[${i}]`, name, `missing from spec.versions; ${reason}`));
  }
  if (spec.preserveUnknownFields) {
    errors.push(
      forbiddenValue(
        'spec.preserveUnknownFields',
        'cannot set to true, set x-kubernetes-preserve-unknown-fields to true instead',
      ),
    );
  }
  return errors;
}

export const CONFIGURATION_RULES: Readonly<Record<string, TypeRules>> = {
  'core.v1.ConfigMap': { object: configMapErrors },
  'core.v1.Secret': { object: secretErrors },
  'coordination.v1.LeaseSpec': { fields: { leaseDurationSeconds: positive, leaseTransitions: atLeast(0) } },
  'policy.v1.PodDisruptionBudgetSpec': {
    fields: { minAvailable: countOrPercentage, maxUnavailable: countOrPercentage },
    object: budgetErrors,
  },
  'autoscaling.v2.HorizontalPodAutoscalerSpec': {
    fields: { maxReplicas: positive, minReplicas: atLeast(1) },
    object: autoscalerErrors,
  },
  'autoscaling.v2.MetricSpec': { object: metricErrors },
  'autoscaling.v2.MetricTarget': {
    fields: { type: oneOf('AverageValue', 'Utilization', 'Value'), averageUtilization: positive },
  },
  'autoscaling.v1.ScaleSpec': { fields: { replicas: atLeast(0) } },
  'rbac.v1.RoleRef': { fields: { apiGroup: oneOf(RBAC_GROUP), kind: oneOf('ClusterRole', 'Role') } },
  'rbac.v1.Subject': { fields: { kind: oneOf('ServiceAccount', 'User', 'Group') }, object: subjectErrors },
  'storage.v1.StorageClass': {
    fields: {
      reclaimPolicy: oneOf('Delete', 'Retain'),
      volumeBindingMode: oneOf('Immediate', 'WaitForFirstConsumer'),
    },
  },
  'scheduling.v1.PriorityClass': {
    fields: { preemptionPolicy: oneOf('Never', 'PreemptLowerPriority') },
    object: priorityClassErrors,
  },
  'apiextensions.v1.CustomResourceDefinition': { object: definitionErrors },
  'apiextensions.v1.CustomResourceDefinitionSpec': {
    fields: { group: dnsSubdomain, scope: oneOf('Cluster', 'Namespaced') },
  },
  'apiextensions.v1.CustomResourceDefinitionNames': { fields: { plural: dns1035Label } },
  'apiextensions.v1.CustomResourceDefinitionVersion': { fields: { name: dns1035Label } },
};
