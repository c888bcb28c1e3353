/** Services and the objects that list their endpoints (Kubernetes API reference, "Service", "EndpointSlice"). */
import type { Service, ServicePort, ServiceSpec } from 'kubernetes-types/core/v1.js';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import { dns1123SubdomainErrors } from '../name-format.ts';
import type { FieldError } from '../status.ts';
import { TRAFFIC_DISTRIBUTIONS } from '../topology-hints.ts';
import { duplicateValue, forbiddenValue, IMMUTABLE, invalidValue, requiredValue } from './field-error.ts';
import { isIpv4, isIpv6, notAnEndpointErrors } from './ip.ts';
import { labels } from './labels.ts';
import {
  cidr,
  dnsLabel,
  each,
  oneOf,
  portName,
  portNumber,
  portReference,
  qualifiedName,
  type Rule,
  type TypeRules,
} from './rule.ts';
import { clusterIpChangeErrors, clusterIpErrors, HEADLESS } from './service-families.ts';

const PROTOCOLS = oneOf('SCTP', 'TCP', 'UDP');
const NOT_FOR_EXTERNAL_NAMES = 'may not be set for ExternalName services';
const MAXIMUM_AFFINITY_SECONDS = 86_400;

function serviceErrors({ metadata, spec }: Service, path: string): FieldError[] {
  if (spec === undefined) return [];
  const at = path === '' ? 'spec' : `${path}.spec`;
  return [
    ...topologyErrors(metadata?.annotations),
    ...typeErrors(spec, at),
    ...portsErrors(spec, at),
    ...clusterIpErrors(spec, at),
    ...loadBalancerErrors(spec, at),
  ];
}

const TOPOLOGY_MODE = 'service.kubernetes.io/topology-mode';
const TOPOLOGY_HINTS = 'service.kubernetes.io/topology-aware-hints';

function topologyErrors(annotations: Readonly<Record<string, string>> = {}): FieldError[] {
  const { [TOPOLOGY_MODE]: mode, [TOPOLOGY_HINTS]: hints } = annotations;
  if (mode === undefined || hints === undefined || mode === hints) return [];
  const detail = `must match annotations[${TOPOLOGY_HINTS}] when both are specified`;
  return [invalidValue(`metadata.annotations[${TOPOLOGY_MODE}]`, mode, detail)];
}

const ONLY_FOR_LOAD_BALANCERS = "may only be used when `type` is 'LoadBalancer'";

/** What only a load balancer has; the field's name in the first message is the original's. */
function loadBalancerErrors(spec: ServiceSpec, path: string): FieldError[] {
  const { type, externalTrafficPolicy, healthCheckNodePort, loadBalancerClass, loadBalancerSourceRanges = [] } = spec;
  const rangesPath = `${path}.LoadBalancerSourceRanges`;
  const errors = loadBalancerSourceRanges.flatMap((range, i) => cidr(range.trim(), `${rangesPath}[${i}]`));
  if (type !== 'LoadBalancer') {
    if (loadBalancerSourceRanges.length > 0) errors.unshift(forbiddenValue(rangesPath, ONLY_FOR_LOAD_BALANCERS));
    for (const field of ['allocateLoadBalancerNodePorts', 'loadBalancerClass'] as const) {
      if (spec[field] !== undefined) errors.push(forbiddenValue(`${path}.${field}`, ONLY_FOR_LOAD_BALANCERS));
    }
  } else if (loadBalancerClass !== undefined) {
    errors.push(...qualifiedName(loadBalancerClass, `${path}.loadBalancerClass`));
  }
  if (healthCheckNodePort && !(type === 'LoadBalancer' && externalTrafficPolicy === 'Local')) {
    const detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    errors.push(invalidValue(`${path}.healthCheckNodePort`, healthCheckNodePort, detail));
  }
  return errors;
}

/** What an update may not change. */
export function serviceChangeErrors({ spec }: Service, { spec: old }: Service): FieldError[] {
  if (spec === undefined || old === undefined) return [];
  const errors = clusterIpChangeErrors(spec, old);
  const isBalanced = (one: ServiceSpec): boolean => one.type === 'LoadBalancer';
  if (isBalanced(spec) && isBalanced(old) && spec.loadBalancerClass !== old.loadBalancerClass) {
    errors.push(invalidValue('spec.loadBalancerClass', spec.loadBalancerClass, 'may not change once set'));
  }
  const isChecked = (one: ServiceSpec): boolean => isBalanced(one) && one.externalTrafficPolicy === 'Local';
  if (isChecked(spec) && isChecked(old) && spec.healthCheckNodePort !== old.healthCheckNodePort) {
    errors.push(forbiddenValue('spec.healthCheckNodePort', IMMUTABLE));
  }
  return errors;
}

function typeErrors(spec: ServiceSpec, path: string): FieldError[] {
  const { type, clusterIP, externalName, externalTrafficPolicy, sessionAffinity, sessionAffinityConfig } = spec;
  const errors: FieldError[] = [];
  if (sessionAffinity !== 'ClientIP' && sessionAffinityConfig !== undefined) {
    const detail = `must not be set when session affinity is ${sessionAffinity ?? 'None'}`;
    errors.push(forbiddenValue(`${path}.sessionAffinityConfig`, detail));
  }
  if (type === 'ExternalName') {
    if (!externalName) errors.push(requiredValue(`${path}.externalName`));
    else {
      const name = externalName.replace(/\.$/, '');
      errors.push(
        ...dns1123SubdomainErrors(name).map((text) => invalidValue(`${path}.externalName`, externalName, text)),
      );
    }
    const hasAddress = clusterIP || (spec.clusterIPs ?? []).length > 0;
    if (hasAddress) errors.push(forbiddenValue(`${path}.clusterIPs`, NOT_FOR_EXTERNAL_NAMES));
    if ((spec.ipFamilies ?? []).length > 0) errors.push(forbiddenValue(`${path}.ipFamilies`, NOT_FOR_EXTERNAL_NAMES));
    if (spec.ipFamilyPolicy) errors.push(forbiddenValue(`${path}.ipFamilyPolicy`, NOT_FOR_EXTERNAL_NAMES));
  }
  if (clusterIP === HEADLESS && (type === 'NodePort' || type === 'LoadBalancer')) {
    errors.push(invalidValue(`${path}.clusterIPs[0]`, clusterIP, `may not be set to 'None' for ${type} services`));
  }
  const isExternal = type === 'NodePort' || type === 'LoadBalancer' || (spec.externalIPs ?? []).length > 0;
  if (externalTrafficPolicy && !isExternal) {
    errors.push(
      invalidValue(
        `${path}.externalTrafficPolicy`,
        externalTrafficPolicy,
        'may only be set for externally-accessible services',
      ),
    );
  }
  return errors;
}

function portsErrors(spec: ServiceSpec, path: string): FieldError[] {
  const { ports = [], type, clusterIP } = spec;
  if (ports.length === 0) {
    return clusterIP === HEADLESS || type === 'ExternalName' ? [] : [requiredValue(`${path}.ports`)];
  }
  const names = new Set<string>();
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  return ports.flatMap((port, i) => {
    const at = `${path}.ports[${i}]`;
    const errors: FieldError[] = [];
    if (ports.length > 1 && !port.name) errors.push(requiredValue(`${at}.name`));
    if (port.name && names.has(port.name)) errors.push(duplicateValue(`${at}.name`, port.name));
    if (port.name) names.add(port.name);
    errors.push(...duplicatePortErrors(port, at, numbers, nodePorts));
    if (port.nodePort && type === 'ClusterIP') {
      errors.push(forbiddenValue(`${at}.nodePort`, "may not be used when `type` is 'ClusterIP'"));
    }
    if (port.nodePort && type === 'ExternalName') {
      errors.push(forbiddenValue(`${at}.nodePort`, "may not be used when `type` is 'ExternalName'"));
    }
    return errors;
  });
}

/** A port stands once per protocol. */
function duplicatePortErrors(
  { protocol, port, nodePort }: ServicePort,
  path: string,
  numbers: Set<string>,
  nodePorts: Set<string>,
): FieldError[] {
  const errors: FieldError[] = [];
  const number = `${protocol}/${port}`;
  if (numbers.has(number)) errors.push(duplicateValue(path, duplicatedPort(port, protocol)));
  numbers.add(number);
  const nodeNumber = `${protocol}/${nodePort}`;
  if (nodePort && nodePorts.has(nodeNumber)) errors.push(duplicateValue(`${path}.nodePort`, nodePort));
  nodePorts.add(nodeNumber);
  return errors;
}

/** As the original writes its internal type. */
function duplicatedPort(port: number, protocol = 'TCP'): object {
  return { Name: '', Protocol: protocol, AppProtocol: null, Port: port, TargetPort: 0, NodePort: 0 };
}

const affinitySeconds: Rule = (value, path) =>
  typeof value === 'number' && (value <= 0 || value > MAXIMUM_AFFINITY_SECONDS)
    ? [invalidValue(path, value, `must be greater than 0 and less than ${MAXIMUM_AFFINITY_SECONDS}`)]
    : [];

const endpointAddress: Rule = (value, path) =>
  notAnEndpointErrors(String(value)).map((text) => invalidValue(path, value, text));

const MAXIMUM_SLICE_ADDRESSES = 100;

function endpointSliceErrors({ addressType, endpoints = [] }: EndpointSlice, path: string): FieldError[] {
  const prefix = path === '' ? '' : `${path}.`;
  return endpoints.flatMap(({ addresses = [] }, i) => {
    const at = `${prefix}endpoints[${i}].addresses`;
    if (addresses.length === 0) return [requiredValue(at, 'must contain at least 1 address')];
    if (addresses.length > MAXIMUM_SLICE_ADDRESSES) {
      return [invalidValue(at, addresses.length, `must have at most ${MAXIMUM_SLICE_ADDRESSES} items`)];
    }
    return addresses.flatMap((address, j) => sliceAddressErrors(addressType, address, `${at}[${j}]`));
  });
}

function sliceAddressErrors(addressType: string, address: string, path: string): FieldError[] {
  switch (addressType) {
    case 'IPv4':
      if (!isIpv4(address)) return [invalidValue(path, address, 'must be a valid IPv4 address')];
      return notAnEndpointErrors(address).map((text) => invalidValue(path, address, text));
    case 'IPv6':
      if (!isIpv6(address)) return [invalidValue(path, address, 'must be a valid IPv6 address')];
      return notAnEndpointErrors(address).map((text) => invalidValue(path, address, text));
    default:
      return dns1123SubdomainErrors(address).map((text) => invalidValue(path, address, text));
  }
}

/** Ports of EndpointSlices may have an empty name. */
const slicePortName: Rule = (value, path) => (value === '' ? [] : dnsLabel(value, path));

export const SERVICE_RULES: Readonly<Record<string, TypeRules>> = {
  'core.v1.Service': { object: serviceErrors },
  'core.v1.ServiceSpec': {
    fields: {
      externalIPs: each(endpointAddress),
      externalTrafficPolicy: oneOf('Cluster', 'Local'),
      internalTrafficPolicy: oneOf('Cluster', 'Local'),
      ipFamilies: each(oneOf('IPv4', 'IPv6')),
      ipFamilyPolicy: oneOf('SingleStack', 'PreferDualStack', 'RequireDualStack'),
      selector: labels,
      sessionAffinity: oneOf('ClientIP', 'None'),
      trafficDistribution: oneOf(...TRAFFIC_DISTRIBUTIONS),
      type: oneOf('ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'),
    },
  },
  'core.v1.ServicePort': {
    fields: {
      name: dnsLabel,
      nodePort: portNumber,
      port: portNumber,
      protocol: PROTOCOLS,
      targetPort: portReference,
    },
  },
  'core.v1.ClientIPConfig': { fields: { timeoutSeconds: affinitySeconds } },
  'core.v1.EndpointAddress': { fields: { ip: endpointAddress, hostname: dnsLabel } },
  'core.v1.EndpointPort': { fields: { name: dnsLabel, port: portNumber, protocol: PROTOCOLS } },
  'discovery.v1.EndpointSlice': {
    fields: { addressType: oneOf('FQDN', 'IPv4', 'IPv6') },
    object: endpointSliceErrors,
  },
  'discovery.v1.EndpointPort': { fields: { name: slicePortName, port: portNumber, protocol: PROTOCOLS } },
  'discovery.v1.Endpoint': { fields: { hostname: dnsLabel } },
  'networking.v1.IngressServiceBackend': { fields: { name: dnsLabel } },
  'networking.v1.ServiceBackendPort': { fields: { name: portName, number: portNumber } },
};
