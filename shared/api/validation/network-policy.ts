/** NetworkPolicies, Ingresses and address ranges (Kubernetes API reference, networking.k8s.io). */

import { IPv4CidrRange, IPv6CidrRange } from 'ip-num';
import type {
  HTTPIngressPath,
  IngressBackend,
  IngressRule,
  IngressSpec,
  IPBlock,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from 'kubernetes-types/networking/v1.js';
import { dns1123SubdomainErrors, wildcardSubdomainErrors } from '../name-format.ts';
import type { FieldError } from '../status.ts';
import { forbiddenValue, invalidValue, requiredValue } from './field-error.ts';
import { isCidr, isIp } from './ip.ts';
import { cidr, dnsSubdomain, each, oneOf, portNumber, portReference, type TypeRules } from './rule.ts';

function peerErrors({ podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer, path: string): FieldError[] {
  const selects = podSelector !== undefined || namespaceSelector !== undefined;
  if (!selects && ipBlock === undefined) return [requiredValue(path, 'must specify a peer')];
  return selects && ipBlock !== undefined
    ? [forbiddenValue(path, 'may not specify both ipBlock and another peer')]
    : [];
}

const MAX_POLICY_TYPES = 2;

function policyTypesErrors(types: unknown, path: string): FieldError[] {
  if (!Array.isArray(types)) return [];
  return types.length > MAX_POLICY_TYPES
    ? [invalidValue(path, types, 'may not specify more than two policyTypes')]
    : each(oneOf('Ingress', 'Egress'))(types, path);
}

function portErrors({ port, endPort }: NetworkPolicyPort, path: string): FieldError[] {
  if (endPort === undefined) return [];
  if (port === undefined)
    return [invalidValue(`${path}.endPort`, endPort, 'may not be specified when `port` is not specified')];
  if (typeof port === 'string') {
    return [invalidValue(`${path}.endPort`, endPort, 'may not be specified when `port` is non-numeric')];
  }
  return [
    // The value that the original names is the port's.
    ...(endPort < port ? [invalidValue(`${path}.endPort`, port, 'must be greater than or equal to `port`')] : []),
    ...portNumber(endPort, `${path}.endPort`),
  ];
}

function ipBlockErrors({ cidr: range, except = [] }: IPBlock, path: string): FieldError[] {
  if (!range || !isCidr(range)) return [];
  return except.flatMap((inner, i) =>
    isCidr(inner) && !isStrictlyInside(inner, range)
      ? [invalidValue(`${path}.except[${i}]`, inner, 'must be a strict subset of `cidr`')]
      : [],
  );
}

function isStrictlyInside(inner: string, outer: string): boolean {
  if (inner.includes(':') !== outer.includes(':')) return false;
  if (Number(inner.split('/')[1]) <= Number(outer.split('/')[1])) return false;
  return inner.includes(':')
    ? IPv6CidrRange.fromCidr(outer).contains(IPv6CidrRange.fromCidr(inner))
    : IPv4CidrRange.fromCidr(outer).contains(IPv4CidrRange.fromCidr(inner));
}

function ingressRuleErrors({ host }: IngressRule, path: string): FieldError[] {
  if (!host) return [];
  const at = `${path}.host`;
  if (isIp(host)) return [invalidValue(at, host, 'must be a DNS name, not an IP address')];
  return hostErrors(host, at);
}

function hostErrors(host: string, path: string): FieldError[] {
  const messages = host.includes('*') ? wildcardSubdomainErrors(host) : dns1123SubdomainErrors(host);
  return messages.map((text) => invalidValue(path, host, text));
}

const UNCLEAN_SEQUENCES = ['//', '/./', '/../', '%2f', '%2F'];
const UNCLEAN_ENDS = ['/..', '/.'];

function ingressPathErrors({ path: value = '', pathType }: HTTPIngressPath, path: string): FieldError[] {
  // What is missing the schema has told already.
  if (!pathType) return [];
  const at = `${path}.path`;
  if (pathType === 'ImplementationSpecific') {
    return value === '' || value.startsWith('/') ? [] : [invalidValue(at, value, 'must be an absolute path')];
  }
  return [
    ...(value.startsWith('/') ? [] : [invalidValue(at, value, 'must be an absolute path')]),
    ...UNCLEAN_SEQUENCES.filter((sequence) => value.includes(sequence)).map((sequence) =>
      invalidValue(at, value, `must not contain '${sequence}'`),
    ),
    ...UNCLEAN_ENDS.filter((end) => value.endsWith(end)).map((end) =>
      invalidValue(at, value, `cannot end with '${end}'`),
    ),
  ];
}

function ingressErrors({ defaultBackend, rules = [], tls = [] }: IngressSpec, path: string): FieldError[] {
  const errors = tls.flatMap(({ hosts = [] }, i) =>
    hosts.flatMap((host, j) => hostErrors(host, `${path}.tls[${i}].hosts[${j}]`)),
  );
  if (defaultBackend !== undefined || rules.length > 0) return errors;
  return [...errors, invalidValue(path, rules, 'either `defaultBackend` or `rules` must be specified')];
}

function backendErrors({ service, resource }: IngressBackend, path: string): FieldError[] {
  if (service !== undefined && resource !== undefined) {
    return [invalidValue(path, '', 'cannot set both resource and service backends')];
  }
  if (service === undefined) {
    return resource === undefined ? [requiredValue(path, 'resource or service backend is required')] : [];
  }
  const { name, number } = service.port ?? {};
  if (name && number) return [invalidValue(path, '', 'cannot set both port name & port number')];
  return name || number ? [] : [requiredValue(path, 'port name or number is required')];
}

export const NETWORK_POLICY_RULES: Readonly<Record<string, TypeRules>> = {
  'networking.v1.NetworkPolicySpec': { fields: { policyTypes: policyTypesErrors } },
  'networking.v1.NetworkPolicyPeer': { object: peerErrors },
  'networking.v1.NetworkPolicyPort': {
    fields: { port: portReference, protocol: oneOf('TCP', 'UDP', 'SCTP') },
    object: portErrors,
  },
  'networking.v1.IPBlock': { fields: { cidr, except: each(cidr) }, object: ipBlockErrors },
  'networking.v1.ServiceCIDRSpec': { fields: { cidrs: each(cidr) } },
  'networking.v1.IngressSpec': { fields: { ingressClassName: dnsSubdomain }, object: ingressErrors },
  'networking.v1.IngressBackend': { object: backendErrors },
  'networking.v1.IngressRule': { object: ingressRuleErrors },
  'networking.v1.HTTPIngressPath': {
    fields: { pathType: oneOf('Exact', 'ImplementationSpecific', 'Prefix') },
    object: ingressPathErrors,
  },
};
