/** The cluster IPs of a Service and their address families, alone and against what they were. */
import type { ServiceSpec } from 'kubernetes-types/core/v1.js';
import type { FieldError } from '../status.ts';
import { duplicateValue, forbiddenValue, invalidValue } from './field-error.ts';
import { ipErrors, isIpv6 } from './ip.ts';

export type ServiceFamily = 'IPv4' | 'IPv6';

export const HEADLESS = 'None';
const MAXIMUM_CLUSTER_IPS = 2;
const SINGLE_STACK = 'SingleStack';
const IMMUTABLE_ONCE_SET = 'may not change once set';

/** The families of a Service, which validation has found to be such. */
export function serviceFamilies(spec: ServiceSpec): ServiceFamily[] {
  return (spec.ipFamilies ?? []).map((family) => (family === 'IPv6' ? 'IPv6' : 'IPv4'));
}

export function familyOfAddress(address: string): ServiceFamily {
  return isIpv6(address) ? 'IPv6' : 'IPv4';
}

function addressesOf({ clusterIP, clusterIPs }: ServiceSpec): readonly string[] {
  return clusterIPs ?? (clusterIP ? [clusterIP] : []);
}

export function clusterIpErrors(spec: ServiceSpec, path: string): FieldError[] {
  if (spec.type === 'ExternalName') return foreignErrors(spec, path);
  const { clusterIP, clusterIPs, ipFamilies = [] } = spec;
  const at = `${path}.clusterIPs`;
  const errors = ipFamilies.flatMap((family, i) =>
    ipFamilies.indexOf(family) < i ? [duplicateValue(`${path}.ipFamilies[${i}]`, family)] : [],
  );
  const addresses = addressesOf(spec);
  if (clusterIPs !== undefined && clusterIP !== undefined && clusterIPs[0] !== clusterIP) {
    errors.push(invalidValue(at, clusterIPs, 'first value must match `clusterIP`'));
  }
  const malformed = addressErrors(addresses, at);
  if (addresses.length > MAXIMUM_CLUSTER_IPS) {
    errors.push(invalidValue(at, addresses, 'may only hold up to 2 values'));
  }
  if (malformed.length > 0) return [...errors, ...malformed];
  return [...errors, ...pairErrors(addresses, at), ...mismatchErrors(addresses, ipFamilies, at)];
}

function foreignErrors({ ipFamilies = [], ipFamilyPolicy }: ServiceSpec, path: string): FieldError[] {
  const detail = "may not be set when `type` is 'ExternalName'";
  return [
    ...(ipFamilyPolicy === undefined ? [] : [forbiddenValue(`${path}.ipFamilyPolicy`, detail)]),
    ...(ipFamilies.length === 0 ? [] : [forbiddenValue(`${path}.ipFamilies`, detail)]),
  ];
}

function addressErrors(addresses: readonly string[], path: string): FieldError[] {
  return addresses.flatMap((address, i) => {
    if (i === 0 && address === HEADLESS) {
      const isAlone = addresses.length === 1;
      return isAlone ? [] : [invalidValue(path, addresses, "'None' must be the first and only value")];
    }
    if (address === '') return [];
    return ipErrors(address).map((text) => invalidValue(`${path}[${i}]`, address, text));
  });
}

function pairErrors(addresses: readonly string[], path: string): FieldError[] {
  const families = new Set(addresses.map(familyOfAddress));
  if (families.size === addresses.length) return [];
  return [invalidValue(path, addresses, 'may specify no more than one IP for each IP family')];
}

function mismatchErrors(addresses: readonly string[], families: readonly string[], path: string): FieldError[] {
  if (addresses[0] === HEADLESS) return [];
  return addresses.flatMap((address, i) => {
    const family = families[i];
    if (family === undefined || address === '' || familyOfAddress(address) === family) return [];
    const detail = `expected an ${family} value as indicated by \`ipFamilies[${i}]\``;
    return [invalidValue(`${path}[${i}]`, address, detail)];
  });
}

/** The first of each stays for good; the second may come, and go when the policy says so. */
export function clusterIpChangeErrors(spec: ServiceSpec, old: ServiceSpec): FieldError[] {
  if (spec.type === 'ExternalName' || old.type === 'ExternalName') return [];
  return [...addressChangeErrors(spec, old), ...familyChangeErrors(spec, old)];
}

function addressChangeErrors(spec: ServiceSpec, old: ServiceSpec): FieldError[] {
  const { ipFamilyPolicy } = spec;
  const clusterIPs = addressesOf(spec);
  const before = addressesOf(old);
  if (before.length > clusterIPs.length && clusterIPs.length === 0) {
    return [invalidValue('spec.clusterIPs[0]', clusterIPs, 'primary clusterIP can not be unset')];
  }
  const errors = before.flatMap((address, i) => {
    const isSame = i >= clusterIPs.length || clusterIPs[i] === address;
    return isSame ? [] : [invalidValue(`spec.clusterIPs[${i}]`, clusterIPs, IMMUTABLE_ONCE_SET)];
  });
  if (before.length > clusterIPs.length && ipFamilyPolicy !== SINGLE_STACK) {
    const detail = "must be set to 'SingleStack' when releasing the secondary clusterIP";
    errors.push(invalidValue('spec.ipFamilyPolicy', ipFamilyPolicy, detail));
  }
  return errors;
}

function familyChangeErrors(spec: ServiceSpec, old: ServiceSpec): FieldError[] {
  const { ipFamilies = [], ipFamilyPolicy } = spec;
  const before = old.ipFamilies ?? [];
  const isChanged = before.some((family, i) => i < ipFamilies.length && ipFamilies[i] !== family);
  const errors = isChanged ? [invalidValue('spec.ipFamilies[0]', ipFamilies, IMMUTABLE_ONCE_SET)] : [];
  if (before.length > ipFamilies.length && ipFamilies.length === 1 && ipFamilyPolicy !== SINGLE_STACK) {
    const detail = "must be set to 'SingleStack' when releasing the secondary ipFamily";
    errors.push(invalidValue('spec.ipFamilyPolicy', ipFamilyPolicy, detail));
  }
  return errors;
}
