/** Pods, containers, probes, volumes (Kubernetes API reference, "PodSpec"). */
import type {
  Container,
  NodeSelector,
  NodeSelectorRequirement,
  PodAffinityTerm,
  PodDNSConfig,
  PodSpec,
  ResourceRequirements,
  Toleration,
} from 'kubernetes-types/core/v1.js';
import { compareQuantities, parseQuantity } from '../quantity.ts';
import type { FieldError } from '../status.ts';
import {
  duplicateValue,
  forbiddenValue,
  invalidValue,
  notFoundValue,
  requiredValue,
  unsupportedValue,
} from './field-error.ts';
import { labels } from './labels.ts';
import {
  atLeast,
  between,
  dnsLabel,
  dnsSubdomain,
  each,
  ipAddress,
  oneOf,
  portName,
  portNumber,
  portReference,
  positive,
  qualifiedName,
  type Rule,
  type TypeRules,
  uniqueBy,
} from './rule.ts';
import { withoutDoubleDots } from './volume.ts';

const MAXIMUM_ID = 2 ** 31 - 1;
const TAINT_EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

function namedContainers(spec: PodSpec, path: string): [container: Container, path: string][] {
  const listed = (list: readonly Container[] | undefined, field: string): [Container, string][] =>
    (list ?? []).map((container, i) => [container, `${path}.${field}[${i}]`]);
  return [
    ...listed(spec.initContainers, 'initContainers'),
    ...listed(spec.containers, 'containers'),
    ...listed(spec.ephemeralContainers, 'ephemeralContainers'),
  ];
}

function podSpecErrors(spec: PodSpec, path: string): FieldError[] {
  const containers = namedContainers(spec, path);
  return [
    ...containerNameErrors(containers),
    ...mountErrors(spec, containers),
    ...hostPortErrors(spec, containers),
    ...dnsErrors(spec, path),
    ...readinessProbeOnlyErrors(containers),
    ...initContainerErrors(spec, path),
    ...restartPolicyErrors(spec, path),
  ];
}

function containerNameErrors(containers: readonly [Container, string][]): FieldError[] {
  const seen = new Set<string>();
  const errors: FieldError[] = [];
  for (const [{ name }, path] of containers) {
    if (seen.has(name)) errors.push(duplicateValue(`${path}.name`, name));
    seen.add(name);
  }
  return errors;
}

function mountErrors(spec: PodSpec, containers: readonly [Container, string][]): FieldError[] {
  const volumes = new Set((spec.volumes ?? []).map(({ name }) => name));
  return containers.flatMap(([{ volumeMounts = [] }, path]) => {
    const mountPaths = new Set<string>();
    return volumeMounts.flatMap(({ name, mountPath }, i) => {
      const here = `${path}.volumeMounts[${i}]`;
      const errors: FieldError[] = [];
      if (name && !volumes.has(name)) errors.push(notFoundValue(`${here}.name`, name));
      if (mountPaths.has(mountPath)) errors.push(invalidValue(`${here}.mountPath`, mountPath, 'must be unique'));
      mountPaths.add(mountPath);
      return errors;
    });
  });
}

/** Ports on the host's network are the host's own, so each can be taken once. */
function hostPortErrors(spec: PodSpec, containers: readonly [Container, string][]): FieldError[] {
  const taken = new Set<string>();
  const errors: FieldError[] = [];
  for (const [{ ports = [] }, path] of containers) {
    for (const [i, { hostPort, hostIP, containerPort, protocol }] of ports.entries()) {
      const here = `${path}.ports[${i}]`;
      if (spec.hostNetwork && hostPort !== containerPort) {
        errors.push(
          invalidValue(`${here}.containerPort`, containerPort, 'must match `hostPort` when `hostNetwork` is true'),
        );
      }
      if (hostPort === undefined || path.includes('initContainers')) continue;
      const key = `${protocol}/${hostIP ?? ''}/${hostPort}`;
      if (taken.has(key)) errors.push(duplicateValue(`${here}.hostPort`, key));
      taken.add(key);
    }
  }
  return errors;
}

const MAXIMUM_NAMESERVERS = 3;

function dnsErrors({ dnsPolicy, dnsConfig }: PodSpec, path: string): FieldError[] {
  const nameservers = (dnsConfig as PodDNSConfig | undefined)?.nameservers ?? [];
  if (dnsPolicy === 'None' && nameservers.length === 0) {
    return [
      requiredValue(
        `${path}.dnsConfig.nameservers`,
        `must provide at least one DNS nameserver when \`dnsPolicy\` is None`,
      ),
    ];
  }
  if (nameservers.length <= MAXIMUM_NAMESERVERS) return [];
  return [
    invalidValue(
      `${path}.dnsConfig.nameservers`,
      nameservers,
      `must not have more than ${MAXIMUM_NAMESERVERS} nameservers`,
    ),
  ];
}

/** Only readiness may ask for several successes in a row, and it ends nothing that a grace period would be for. */
function readinessProbeOnlyErrors(containers: readonly [Container, string][]): FieldError[] {
  return containers.flatMap(([container, path]) => {
    const errors = (['livenessProbe', 'startupProbe'] as const).flatMap((field) => {
      const successes = container[field]?.successThreshold;
      if (successes === undefined || successes === 1) return [];
      return [invalidValue(`${path}.${field}.successThreshold`, successes, 'must be 1')];
    });
    const grace = container.readinessProbe?.terminationGracePeriodSeconds;
    if (grace === undefined) return errors;
    const at = `${path}.readinessProbe.terminationGracePeriodSeconds`;
    return [...errors, invalidValue(at, grace, 'must not be set for readinessProbes')];
  });
}

/** Only init containers have one, by which they become sidecars. */
function restartPolicyErrors({ containers = [], initContainers = [] }: PodSpec, path: string): FieldError[] {
  return [
    ...containers.flatMap(({ restartPolicy }, i) =>
      restartPolicy === undefined
        ? []
        : [forbiddenValue(`${path}.containers[${i}].restartPolicy`, 'may not be set for non-init containers')],
    ),
    ...initContainers.flatMap(({ restartPolicy }, i) =>
      restartPolicy === undefined || restartPolicy === 'Always'
        ? []
        : [unsupportedValue(`${path}.initContainers[${i}].restartPolicy`, restartPolicy, ['Always'])],
    ),
  ];
}

const MAIN_CONTAINERS_ONLY = ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const;

/** An init container that ends is neither probed nor hooked. */
function initContainerErrors({ initContainers = [] }: PodSpec, path: string): FieldError[] {
  return initContainers.flatMap((container, i) => {
    if (container.restartPolicy === 'Always') return [];
    const given = MAIN_CONTAINERS_ONLY.filter((field) => container[field] !== undefined);
    const detail = 'may not be set for init containers without restartPolicy=Always';
    return given.map((field) => forbiddenValue(`${path}.initContainers[${i}].${field}`, detail));
  });
}

/** A port that is missing has become 0 on the way. */
const containerPort: Rule = (value, path) => (value === 0 ? [requiredValue(path)] : portNumber(value, path));

function containerErrors({ image, resources }: Container, path: string): FieldError[] {
  const errors = resources === undefined ? [] : resourceErrors(resources, `${path}.resources`);
  if (image === undefined || image === '') return [requiredValue(`${path}.image`), ...errors];
  if (image.trim() !== image) {
    errors.push(invalidValue(`${path}.image`, image, 'must not have leading or trailing whitespace'));
  }
  return errors;
}

function resourceErrors({ limits = {}, requests = {} }: ResourceRequirements, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [field, quantities] of Object.entries({ limits, requests })) {
    for (const [name, text] of Object.entries(quantities)) {
      errors.push(...resourceNameErrors(name, `${path}.${field}[${name}]`));
      const { nano } = parseQuantity(String(text))!;
      if (nano < 0n) {
        errors.push(invalidValue(`${path}.${field}[${name}]`, text, 'must be greater than or equal to 0'));
      }
      if (isExtended(name) && nano % NANO_PER_UNIT !== 0n) {
        errors.push(invalidValue(`${path}.${field}[${name}]`, text, 'must be an integer'));
      }
      if (field === 'requests' && isExtended(name) && limits[name] === undefined) {
        errors.push(requiredValue(`${path}.limits`, 'Limit must be set for non overcommitable resources'));
      }
    }
  }
  for (const [name, text] of Object.entries(requests)) {
    const limit = limits[name];
    if (limit === undefined) continue;
    const difference = compareQuantities(parseQuantity(String(text))!, parseQuantity(String(limit))!);
    if (isExtended(name) && difference !== 0) {
      errors.push(invalidValue(`${path}.requests`, text, `must be equal to ${name} limit of ${limit}`));
    } else if (difference > 0) {
      errors.push(invalidValue(`${path}.requests`, text, `must be less than or equal to ${name} limit of ${limit}`));
    }
  }
  return errors;
}

const NANO_PER_UNIT = 10n ** 9n;

/** Of another domain than Kubernetes' own: whole things that are not shared, as GPUs. */
function isExtended(name: string): boolean {
  return name.includes('/') && !name.split('/')[0]?.endsWith('kubernetes.io');
}

const CONTAINER_RESOURCES = new Set(['cpu', 'memory', 'ephemeral-storage']);

function resourceNameErrors(name: string, path: string): FieldError[] {
  if (CONTAINER_RESOURCES.has(name) || name.startsWith('hugepages-')) return [];
  if (name.includes('/')) return qualifiedName(name, path);
  return [
    invalidValue(path, name, 'must be a standard resource type or fully qualified'),
    invalidValue(path, name, 'must be a standard resource for containers'),
  ];
}

const HANDLERS = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'];

function handlerErrors(handler: object, path: string): FieldError[] {
  const given = HANDLERS.filter((name) => Object.hasOwn(handler, name));
  if (given.length === 0) return [requiredValue(path, 'must specify a handler type')];
  return given.slice(1).map((name) => forbiddenValue(`${path}.${name}`, 'may not specify more than 1 handler type'));
}

function tolerationErrors({ key, operator, value, effect, tolerationSeconds }: Toleration, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!key && operator !== 'Exists') {
    errors.push(
      invalidValue(
        `${path}.operator`,
        operator ?? '',
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ),
    );
  }
  if (operator === 'Exists' && value) {
    errors.push(invalidValue(`${path}.operator`, value, "value must be empty when `operator` is 'Exists'"));
  }
  if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
    errors.push(
      invalidValue(`${path}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"),
    );
  }
  return errors;
}

function nodeRequirementErrors({ operator, values = [] }: NodeSelectorRequirement, path: string): FieldError[] {
  const at = `${path}.values`;
  switch (operator) {
    case 'In':
    case 'NotIn':
      return values.length > 0 ? [] : [requiredValue(at, "must be specified when `operator` is 'In' or 'NotIn'")];
    case 'Exists':
    case 'DoesNotExist':
      if (values.length === 0) return [];
      return [forbiddenValue(at, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")];
    case 'Gt':
    case 'Lt':
      return values.length === 1
        ? []
        : [requiredValue(at, "must be specified single value when `operator` is 'Lt' or 'Gt'")];
    default:
      return [];
  }
}

function nodeSelectorErrors({ nodeSelectorTerms = [] }: NodeSelector, path: string): FieldError[] {
  if (nodeSelectorTerms.length > 0) return [];
  return [requiredValue(`${path}.nodeSelectorTerms`, 'must have at least one node selector term')];
}

function affinityTermErrors({ topologyKey }: PodAffinityTerm, path: string): FieldError[] {
  return topologyKey ? [] : [requiredValue(`${path}.topologyKey`, 'can not be empty')];
}

const nodeSelectorOperator = oneOf('In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt');
const probeSeconds = atLeast(0);
const weight = between(1, 100);

export const POD_RULES: Readonly<Record<string, TypeRules>> = {
  'core.v1.PodSpec': {
    fields: {
      activeDeadlineSeconds: between(1, MAXIMUM_ID),
      dnsPolicy: oneOf('ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'),
      hostname: dnsLabel,
      nodeName: dnsSubdomain,
      nodeSelector: labels,
      restartPolicy: oneOf('Always', 'Never', 'OnFailure'),
      schedulerName: qualifiedName,
      schedulingGates: uniqueBy('name'),
      serviceAccountName: dnsSubdomain,
      subdomain: dnsLabel,
      terminationGracePeriodSeconds: atLeast(0),
      volumes: uniqueBy('name'),
    },
    object: podSpecErrors,
  },
  'core.v1.Container': {
    fields: {
      name: dnsLabel,
      imagePullPolicy: oneOf('Always', 'IfNotPresent', 'Never'),
      ports: uniqueBy('name'),
      terminationMessagePolicy: oneOf('FallbackToLogsOnError', 'File'),
    },
    object: containerErrors,
  },
  'core.v1.EphemeralContainer': { fields: { name: dnsLabel }, object: containerErrors },
  'core.v1.ContainerPort': {
    fields: {
      containerPort,
      hostPort: portNumber,
      hostIP: ipAddress,
      name: portName,
      protocol: oneOf('SCTP', 'TCP', 'UDP'),
    },
  },
  'core.v1.Probe': {
    fields: {
      failureThreshold: probeSeconds,
      initialDelaySeconds: probeSeconds,
      periodSeconds: probeSeconds,
      successThreshold: probeSeconds,
      terminationGracePeriodSeconds: positive,
      timeoutSeconds: probeSeconds,
    },
    object: handlerErrors,
  },
  'core.v1.LifecycleHandler': { object: handlerErrors },
  'core.v1.TCPSocketAction': { fields: { port: portReference } },
  'core.v1.GRPCAction': { fields: { port: portNumber } },
  'core.v1.VolumeMount': { fields: { subPath: withoutDoubleDots } },
  'core.v1.Toleration': {
    fields: { operator: oneOf('Equal', 'Exists'), effect: oneOf(...TAINT_EFFECTS) },
    object: tolerationErrors,
  },
  'core.v1.Taint': { fields: { key: qualifiedName, effect: oneOf(...TAINT_EFFECTS) } },
  'core.v1.HostAlias': { fields: { ip: ipAddress, hostnames: each(dnsSubdomain) } },
  'core.v1.PodDNSConfig': { fields: { nameservers: each(ipAddress) } },
  'core.v1.NodeSelector': { object: nodeSelectorErrors },
  'core.v1.NodeSelectorRequirement': {
    fields: { key: qualifiedName, operator: nodeSelectorOperator },
    object: nodeRequirementErrors,
  },
  'core.v1.PreferredSchedulingTerm': { fields: { weight } },
  'core.v1.WeightedPodAffinityTerm': { fields: { weight } },
  'core.v1.PodAffinityTerm': { object: affinityTermErrors },
  'core.v1.TopologySpreadConstraint': {
    fields: {
      maxSkew: positive,
      topologyKey: qualifiedName,
      whenUnsatisfiable: oneOf('DoNotSchedule', 'ScheduleAnyway'),
    },
  },
  'core.v1.SecurityContext': { fields: { runAsUser: between(0, MAXIMUM_ID), runAsGroup: between(0, MAXIMUM_ID) } },
  'core.v1.PodSecurityContext': {
    fields: {
      runAsUser: between(0, MAXIMUM_ID),
      runAsGroup: between(0, MAXIMUM_ID),
      fsGroup: between(0, MAXIMUM_ID),
      supplementalGroups: each(between(0, MAXIMUM_ID)),
    },
  },
  'core.v1.PodReadinessGate': { fields: { conditionType: qualifiedName } },
};
