/** Services and the objects that list their endpoints (Kubernetes API reference, "Service", "EndpointSlice"). */
import type { Service, ServicePort, ServiceSpec } from 'kubernetes-types/core/v1.js';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import { dns1123SubdomainErrors } from '../name-format.ts';
import type { FieldError } from '../status.ts';
import { TRAFFIC_DISTRIBUTIONS } from '../topology-hints.ts';
import { duplicateValue, forbiddenValue, invalidValue, requiredValue } from './field-error.ts';
import { isIpv4, isIpv6, notAnEndpointErrors } from './ip.ts';
import { labels } from './labels.ts';
import { cidr, dnsLabel, each, oneOf, portName, portNumber, portReference, type Rule, type TypeRules } from './rule.ts';
import { clusterIpErrors, HEADLESS } from './service-families.ts';

const PROTOCOLS = oneOf('SCTP', 'TCP', 'UDP');
const MAXIMUM_AFFINITY_SECONDS = 86_400;

function serviceErrors({ spec }: Service, path: string): FieldError[] {
  if (spec === undefined) return [];
  const at = path === '' ? 'spec' : `${path}.spec`;
  return [...typeErrors(spec, at), ...portsErrors(spec, at), ...clusterIpErrors(spec, at)];
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
    if (clusterIP) errors.push(forbiddenValue(`${path}.clusterIPs`, "may not be set when `type` is 'ExternalName'"));
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
  if (numbers.has(number)) errors.push(duplicateValue(path, { protocol, port }));
  numbers.add(number);
  const nodeNumber = `${protocol}/${nodePort}`;
  if (nodePort && nodePorts.has(nodeNumber)) errors.push(duplicateValue(`${path}.nodePort`, nodePort));
  nodePorts.add(nodeNumber);
  return errors;
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
      loadBalancerSourceRanges: each(cidr),
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
