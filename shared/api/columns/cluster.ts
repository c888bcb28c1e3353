/** Tables of nodes, namespaces, events, leases and configuration. */
import type { Lease } from 'kubernetes-types/coordination/v1.js';
import type {
  ConfigMap,
  Event,
  LimitRange,
  Namespace,
  Node,
  ResourceQuota,
  Secret,
  ServiceAccount,
} from 'kubernetes-types/core/v1.js';
import type { RuntimeClass } from 'kubernetes-types/node/v1.js';
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.js';
import type { PriorityClass } from 'kubernetes-types/scheduling/v1.js';
import { ageText, NONE, UNKNOWN } from './cell-text.ts';
import { AGE_COLUMN, boolean, date, integer, NAME_COLUMN, type Printer, text, wide } from './printer.ts';

export const NODE_PRINTER: Printer<Node> = {
  columns: [
    NAME_COLUMN,
    text('Status'),
    text('Roles'),
    AGE_COLUMN,
    text('Version'),
    wide('Internal-IP'),
    wide('External-IP'),
    wide('OS-Image'),
    wide('Kernel-Version'),
    wide('Container-Runtime'),
  ],
  cells: (node, nowMs) => {
    const info = node.status?.nodeInfo;
    return [
      node.metadata?.name ?? '',
      nodeStatus(node),
      nodeRoles(node),
      ageText(node.metadata?.creationTimestamp, nowMs),
      info?.kubeletVersion ?? '',
      nodeAddress(node, 'InternalIP'),
      nodeAddress(node, 'ExternalIP'),
      info?.osImage || UNKNOWN,
      info?.kernelVersion || UNKNOWN,
      info?.containerRuntimeVersion || UNKNOWN,
    ];
  },
};

function nodeStatus({ spec, status }: Node): string {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const text = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return spec?.unschedulable ? `${text},SchedulingDisabled` : text;
}

const ROLE_PREFIX = 'node-role.kubernetes.io/';
const ROLE_LABEL = 'kubernetes.io/role';

function nodeRoles({ metadata }: Node): string {
  const roles = new Set<string>();
  for (const [label, value] of Object.entries(metadata?.labels ?? {})) {
    if (label.startsWith(ROLE_PREFIX) && label.length > ROLE_PREFIX.length) roles.add(label.slice(ROLE_PREFIX.length));
    else if (label === ROLE_LABEL && value !== '') roles.add(value);
  }
  return roles.size === 0 ? NONE : [...roles].sort().join(',');
}

function nodeAddress({ status }: Node, type: string): string {
  return status?.addresses?.find((address) => address.type === type)?.address ?? NONE;
}

export const NAMESPACE_PRINTER: Printer<Namespace> = {
  columns: [NAME_COLUMN, text('Status'), AGE_COLUMN],
  cells: ({ metadata, status }, nowMs) => [
    metadata?.name ?? '',
    status?.phase ?? '',
    ageText(metadata?.creationTimestamp, nowMs),
  ],
};

export const CONFIG_MAP_PRINTER: Printer<ConfigMap> = {
  columns: [NAME_COLUMN, integer('Data'), AGE_COLUMN],
  cells: ({ metadata, data, binaryData }, nowMs) => [
    metadata?.name ?? '',
    Object.keys(data ?? {}).length + Object.keys(binaryData ?? {}).length,
    ageText(metadata?.creationTimestamp, nowMs),
  ],
};

export const SECRET_PRINTER: Printer<Secret> = {
  columns: [NAME_COLUMN, text('Type'), integer('Data'), AGE_COLUMN],
  cells: ({ metadata, type, data }, nowMs) => [
    metadata?.name ?? '',
    type ?? '',
    Object.keys(data ?? {}).length,
    ageText(metadata?.creationTimestamp, nowMs),
  ],
};

export const SERVICE_ACCOUNT_PRINTER: Printer<ServiceAccount> = {
  columns: [NAME_COLUMN, integer('Secrets'), AGE_COLUMN],
  cells: ({ metadata, secrets }, nowMs) => [
    metadata?.name ?? '',
    secrets?.length ?? 0,
    ageText(metadata?.creationTimestamp, nowMs),
  ],
};

export const EVENT_PRINTER: Printer<Event> = {
  columns: [
    text('Last Seen'),
    text('Type'),
    text('Reason'),
    text('Object'),
    wide('Subobject'),
    wide('Source'),
    text('Message'),
    wide('First Seen'),
    { ...wide('Count'), type: 'integer' },
    { ...NAME_COLUMN, priority: 1 },
  ],
  cells: (event, nowMs) => {
    const firstSeen = ageText(event.firstTimestamp ?? event.eventTime, nowMs);
    const lastSeen = event.series?.lastObservedTime ?? event.lastTimestamp;
    const { kind = '', name, fieldPath } = event.involvedObject ?? {};
    const source = [event.source?.component ?? event.reportingComponent, event.source?.host ?? event.reportingInstance];
    return [
      lastSeen === undefined ? firstSeen : ageText(lastSeen, nowMs),
      event.type ?? '',
      event.reason ?? '',
      name === undefined ? kind.toLowerCase() : `${kind.toLowerCase()}/${name}`,
      fieldPath ?? '',
      source.filter(Boolean).join(', '),
      (event.message ?? '').trim(),
      firstSeen,
      event.series?.count ?? (event.count || 1),
      event.metadata?.name ?? '',
    ];
  },
};

export const LEASE_PRINTER: Printer<Lease> = {
  columns: [NAME_COLUMN, text('Holder'), AGE_COLUMN],
  cells: ({ metadata, spec }, nowMs) => [
    metadata?.name ?? '',
    spec?.holderIdentity ?? '',
    ageText(metadata?.creationTimestamp, nowMs),
  ],
};

export const RESOURCE_QUOTA_PRINTER: Printer<ResourceQuota> = {
  columns: [NAME_COLUMN, text('Request'), text('Limit'), AGE_COLUMN],
  cells: ({ metadata, status }, nowMs) => {
    const names = Object.keys(status?.hard ?? {}).sort();
    const usage = (name: string): string => `${name}: ${status?.used?.[name] ?? '0'}/${status?.hard?.[name]}`;
    return [
      metadata?.name ?? '',
      names
        .filter((name) => !name.startsWith('limits.'))
        .map(usage)
        .join(', '),
      names
        .filter((name) => name.startsWith('limits.'))
        .map(usage)
        .join(', '),
      ageText(metadata?.creationTimestamp, nowMs),
    ];
  },
};

/** Kinds whose table is their name and the time they were made at. */
export const CREATED_AT_PRINTER: Printer<LimitRange> = {
  columns: [NAME_COLUMN, date('Created At')],
  cells: ({ metadata }) => [metadata?.name ?? '', metadata?.creationTimestamp ?? null],
};

export const POD_DISRUPTION_BUDGET_PRINTER: Printer<PodDisruptionBudget> = {
  columns: [NAME_COLUMN, text('Min Available'), text('Max Unavailable'), integer('Allowed Disruptions'), AGE_COLUMN],
  cells: ({ metadata, spec, status }, nowMs) => [
    metadata?.name ?? '',
    String(spec?.minAvailable ?? 'N/A'),
    String(spec?.maxUnavailable ?? 'N/A'),
    status?.disruptionsAllowed ?? 0,
    ageText(metadata?.creationTimestamp, nowMs),
  ],
};

export const PRIORITY_CLASS_PRINTER: Printer<PriorityClass> = {
  columns: [NAME_COLUMN, integer('Value'), boolean('Global-Default'), AGE_COLUMN, text('PreemptionPolicy')],
  cells: ({ metadata, value, globalDefault, preemptionPolicy }, nowMs) => [
    metadata?.name ?? '',
    value,
    globalDefault ?? false,
    ageText(metadata?.creationTimestamp, nowMs),
    preemptionPolicy ?? '',
  ],
};

export const RUNTIME_CLASS_PRINTER: Printer<RuntimeClass> = {
  columns: [NAME_COLUMN, text('Handler'), AGE_COLUMN],
  cells: ({ metadata, handler }, nowMs) => [metadata?.name ?? '', handler, ageText(metadata?.creationTimestamp, nowMs)],
};
