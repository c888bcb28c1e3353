/** `meta.k8s.io` Tables: what `kubectl get` asks for and prints (Kubernetes API concepts, "Receiving resources as Tables"). */
import type { JsonObject, KubeObject } from '../object.ts';
import { HORIZONTAL_POD_AUTOSCALER_PRINTER } from './autoscaling.ts';
import {
  CONFIG_MAP_PRINTER,
  CREATED_AT_PRINTER,
  EVENT_PRINTER,
  LEASE_PRINTER,
  NAMESPACE_PRINTER,
  NODE_PRINTER,
  POD_DISRUPTION_BUDGET_PRINTER,
  PRIORITY_CLASS_PRINTER,
  RESOURCE_QUOTA_PRINTER,
  RUNTIME_CLASS_PRINTER,
  SECRET_PRINTER,
  SERVICE_ACCOUNT_PRINTER,
} from './cluster.ts';
import { type AdditionalPrinterColumn, customResourcePrinter } from './custom-resource.ts';
import {
  ENDPOINT_SLICE_PRINTER,
  ENDPOINTS_PRINTER,
  INGRESS_CLASS_PRINTER,
  INGRESS_PRINTER,
  IP_ADDRESS_PRINTER,
  NETWORK_POLICY_PRINTER,
  SERVICE_CIDR_PRINTER,
  SERVICE_PRINTER,
} from './network.ts';
import { POD_PRINTER, POD_TEMPLATE_PRINTER } from './pod.ts';
import type { Cell, Column, Printer } from './printer.ts';
import { ROLE_BINDING_PRINTER } from './rbac.ts';
import {
  CSI_DRIVER_PRINTER,
  CSI_NODE_PRINTER,
  CSI_STORAGE_CAPACITY_PRINTER,
  PERSISTENT_VOLUME_CLAIM_PRINTER,
  PERSISTENT_VOLUME_PRINTER,
  STORAGE_CLASS_PRINTER,
  VOLUME_ATTACHMENT_PRINTER,
} from './storage.ts';
import {
  CONTROLLER_REVISION_PRINTER,
  CRON_JOB_PRINTER,
  DAEMON_SET_PRINTER,
  DEPLOYMENT_PRINTER,
  JOB_PRINTER,
  REPLICA_SET_PRINTER,
  REPLICATION_CONTROLLER_PRINTER,
  STATEFUL_SET_PRINTER,
} from './workload.ts';

const PRINTERS: Readonly<Record<string, Printer>> = {
  'apiextensions.v1.CustomResourceDefinition': CREATED_AT_PRINTER,
  'apps.v1.ControllerRevision': CONTROLLER_REVISION_PRINTER,
  'apps.v1.DaemonSet': DAEMON_SET_PRINTER,
  'apps.v1.Deployment': DEPLOYMENT_PRINTER,
  'apps.v1.ReplicaSet': REPLICA_SET_PRINTER,
  'apps.v1.StatefulSet': STATEFUL_SET_PRINTER,
  'autoscaling.v2.HorizontalPodAutoscaler': HORIZONTAL_POD_AUTOSCALER_PRINTER,
  'batch.v1.CronJob': CRON_JOB_PRINTER,
  'batch.v1.Job': JOB_PRINTER,
  'coordination.v1.Lease': LEASE_PRINTER,
  'core.v1.ConfigMap': CONFIG_MAP_PRINTER,
  'core.v1.Endpoints': ENDPOINTS_PRINTER,
  'core.v1.Event': EVENT_PRINTER,
  'core.v1.LimitRange': CREATED_AT_PRINTER,
  'core.v1.Namespace': NAMESPACE_PRINTER,
  'core.v1.Node': NODE_PRINTER,
  'core.v1.PersistentVolume': PERSISTENT_VOLUME_PRINTER,
  'core.v1.PersistentVolumeClaim': PERSISTENT_VOLUME_CLAIM_PRINTER,
  'core.v1.Pod': POD_PRINTER,
  'core.v1.PodTemplate': POD_TEMPLATE_PRINTER,
  'core.v1.ReplicationController': REPLICATION_CONTROLLER_PRINTER,
  'core.v1.ResourceQuota': RESOURCE_QUOTA_PRINTER,
  'core.v1.Secret': SECRET_PRINTER,
  'core.v1.Service': SERVICE_PRINTER,
  'core.v1.ServiceAccount': SERVICE_ACCOUNT_PRINTER,
  'discovery.v1.EndpointSlice': ENDPOINT_SLICE_PRINTER,
  'networking.v1.Ingress': INGRESS_PRINTER,
  'networking.v1.IngressClass': INGRESS_CLASS_PRINTER,
  'networking.v1.IPAddress': IP_ADDRESS_PRINTER,
  'networking.v1.NetworkPolicy': NETWORK_POLICY_PRINTER,
  'networking.v1.ServiceCIDR': SERVICE_CIDR_PRINTER,
  'node.v1.RuntimeClass': RUNTIME_CLASS_PRINTER,
  'policy.v1.PodDisruptionBudget': POD_DISRUPTION_BUDGET_PRINTER,
  'rbac.v1.ClusterRole': CREATED_AT_PRINTER,
  'rbac.v1.ClusterRoleBinding': ROLE_BINDING_PRINTER,
  'rbac.v1.Role': CREATED_AT_PRINTER,
  'rbac.v1.RoleBinding': ROLE_BINDING_PRINTER,
  'scheduling.v1.PriorityClass': PRIORITY_CLASS_PRINTER,
  'storage.v1.CSIDriver': CSI_DRIVER_PRINTER,
  'storage.v1.CSINode': CSI_NODE_PRINTER,
  'storage.v1.CSIStorageCapacity': CSI_STORAGE_CAPACITY_PRINTER,
  'storage.v1.StorageClass': STORAGE_CLASS_PRINTER,
  'storage.v1.VolumeAttachment': VOLUME_ATTACHMENT_PRINTER,
};

export interface TableRow {
  readonly cells: readonly Cell[];
  readonly object?: JsonObject;
}

export interface Table {
  readonly kind: 'Table';
  readonly apiVersion: string;
  readonly metadata: JsonObject;
  readonly columnDefinitions: readonly Column[];
  readonly rows: readonly TableRow[];
}

export interface TableOptions {
  /** `v1` or `v1beta1`, as asked for. */
  readonly version?: string;
  /** What a row carries of its object: query parameter `includeObject`. */
  readonly includeObject?: 'Metadata' | 'None' | 'Object';
  /** The list's `resourceVersion`, `continue`, ...; for one object its resourceVersion. */
  readonly listMeta: JsonObject;
  /** False in the later events of a watch, which repeat no columns. */
  readonly withColumns?: boolean;
  readonly nowMs: number;
}

/** The printer of a built-in kind; kinds without one of their own show name and age. */
export function printerOf(schema: string): Printer<KubeObject> {
  // A printer reads objects of its own kind only, which the schema's name says these are.
  return (PRINTERS[schema] ?? customResourcePrinter(undefined)) as Printer<KubeObject>;
}

export function printerOfCustomResource(columns: readonly AdditionalPrinterColumn[] | undefined): Printer<KubeObject> {
  return customResourcePrinter(columns) as Printer<KubeObject>;
}

export function tableOf(printer: Printer<KubeObject>, objects: readonly KubeObject[], options: TableOptions): Table {
  const { version = 'v1', includeObject = 'Metadata', withColumns = true } = options;
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${version}`,
    metadata: options.listMeta,
    columnDefinitions: withColumns ? printer.columns : [],
    rows: objects.map((object) => ({
      cells: printer.cells(object, options.nowMs),
      ...rowObject(object, includeObject, version),
    })),
  };
}

function rowObject(
  object: KubeObject,
  include: TableOptions['includeObject'],
  version: string,
): { object?: JsonObject } {
  if (include === 'None') return {};
  if (include === 'Object') return { object };
  return { object: partialMetadata(object, version) };
}

/** An object reduced to its metadata, as tables and metadata-only clients take it. */
export function partialMetadata(object: KubeObject, version = 'v1'): JsonObject {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata };
}
