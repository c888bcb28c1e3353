/** Which defaults belong to which kind. Run after decoding and before validation, on creates, updates and patches. */

import type { TokenRequest } from 'kubernetes-types/authentication/v1.js';
import type { Namespace, PersistentVolume, PersistentVolumeClaim, Secret } from 'kubernetes-types/core/v1.js';
import type { PriorityClass } from 'kubernetes-types/scheduling/v1.js';
import type { StorageClass } from 'kubernetes-types/storage/v1.js';
import type { JsonObject } from '../object.ts';
import { defaultHorizontalPodAutoscaler, defaultHorizontalPodAutoscalerV1 } from './autoscaling.ts';
import { defaultCustomResourceDefinition } from './custom-resource.ts';
import { defaultLimitRange } from './limit-range.ts';
import { defaultNetworkPolicy } from './network-policy.ts';
import { defaultPod } from './pod.ts';
import { defaultRoleBinding } from './rbac.ts';
import { defaultEndpointSlice, defaultEndpoints, defaultService } from './service.ts';
import {
  defaultCronJob,
  defaultDaemonSet,
  defaultDeployment,
  defaultJob,
  defaultPodTemplate,
  defaultReplicaSet,
  defaultReplicationController,
  defaultStatefulSet,
} from './workload.ts';

/** The label by which selectors find a namespace. */
export const NAMESPACE_NAME_LABEL = 'kubernetes.io/metadata.name';

function defaultNamespace(namespace: Namespace): void {
  const metadata = namespace.metadata;
  if (metadata?.name !== undefined) metadata.labels = { ...metadata.labels, [NAMESPACE_NAME_LABEL]: metadata.name };
}

function defaultSecret(secret: Secret): void {
  secret.type ??= 'Opaque';
}

function defaultPersistentVolume(volume: PersistentVolume): void {
  if (volume.spec === undefined) return;
  volume.spec.persistentVolumeReclaimPolicy ??= 'Retain';
  volume.spec.volumeMode ??= 'Filesystem';
}

function defaultPersistentVolumeClaim(claim: PersistentVolumeClaim): void {
  if (claim.spec !== undefined) claim.spec.volumeMode ??= 'Filesystem';
}

function defaultStorageClass(storageClass: StorageClass): void {
  storageClass.reclaimPolicy ??= 'Delete';
  storageClass.volumeBindingMode ??= 'Immediate';
}

function defaultPriorityClass(priorityClass: PriorityClass): void {
  priorityClass.preemptionPolicy ??= 'PreemptLowerPriority';
}

function defaultTokenRequest(request: TokenRequest): void {
  request.spec.expirationSeconds ??= 3600;
}

type Defaulter = (object: never) => void;

const DEFAULTERS: Readonly<Record<string, Defaulter>> = {
  'apiextensions.v1.CustomResourceDefinition': defaultCustomResourceDefinition,
  'apps.v1.DaemonSet': defaultDaemonSet,
  'apps.v1.Deployment': defaultDeployment,
  'apps.v1.ReplicaSet': defaultReplicaSet,
  'apps.v1.StatefulSet': defaultStatefulSet,
  'authentication.v1.TokenRequest': defaultTokenRequest,
  'autoscaling.v1.HorizontalPodAutoscaler': defaultHorizontalPodAutoscalerV1,
  'autoscaling.v2.HorizontalPodAutoscaler': defaultHorizontalPodAutoscaler,
  'batch.v1.CronJob': defaultCronJob,
  'batch.v1.Job': defaultJob,
  'core.v1.Endpoints': defaultEndpoints,
  'core.v1.LimitRange': defaultLimitRange,
  'core.v1.Namespace': defaultNamespace,
  'core.v1.PersistentVolume': defaultPersistentVolume,
  'core.v1.PersistentVolumeClaim': defaultPersistentVolumeClaim,
  'core.v1.Pod': defaultPod,
  'core.v1.PodTemplate': defaultPodTemplate,
  'core.v1.ReplicationController': defaultReplicationController,
  'core.v1.Secret': defaultSecret,
  'core.v1.Service': defaultService,
  'discovery.v1.EndpointSlice': defaultEndpointSlice,
  'networking.v1.NetworkPolicy': defaultNetworkPolicy,
  'rbac.v1.ClusterRoleBinding': defaultRoleBinding,
  'rbac.v1.RoleBinding': defaultRoleBinding,
  'scheduling.v1.PriorityClass': defaultPriorityClass,
  'storage.v1.StorageClass': defaultStorageClass,
};

/** Changes the object, which `decodeObject` made, in place. `schema` is the type's name in the table. */
export function applyDefaults(object: JsonObject, schema: string): void {
  // The decoder has checked the object against this very type.
  DEFAULTERS[schema]?.(object as never);
}
