/**
 * Which address families a Service has: what it asks for, by policy, families or addresses, and the cluster has (Kubernetes
 * documentation, "IPv4/IPv6 dual-stack"). A Service never gains or loses one without being told to.
 */
import type { ServiceSpec } from 'kubernetes-types/core/v1.js';
import { isSame } from '../../../../shared/api/json-equality.ts';
import type { FieldError } from '../../../../shared/api/status.ts';
import { invalidValue } from '../../../../shared/api/validation/field-error.ts';
import {
  familyOfAddress,
  HEADLESS,
  type ServiceFamily,
  serviceFamilies,
} from '../../../../shared/api/validation/service-families.ts';

/**
 * Sets `ipFamilyPolicy` and `ipFamilies`, and takes away what a change to SingleStack gives up. `configured`: the families of
 * the cluster, its own first. Errors when the Service asks for what the cluster has not; then the rest is not settled.
 */
export function settleFamilies(
  spec: ServiceSpec,
  old: ServiceSpec | undefined,
  configured: readonly ServiceFamily[],
): FieldError[] {
  if (old !== undefined && isKeptPreference(spec, old)) return [];
  spec.ipFamilyPolicy ??= old?.ipFamilyPolicy ?? (hasAnyFamily(spec) ? 'RequireDualStack' : 'SingleStack');
  const released = old === undefined ? [] : releaseSecond(spec, old);
  const unclear = [...released, ...policyErrors(spec), ...inferFamilies(spec, configured)];
  if (unclear.length > 0) return unclear;
  const isFree = hasAnyFamily(spec);
  const missing = isFree ? [] : missingErrors(spec, configured);
  if (missing.length > 0) return missing;
  const [first = configured[0] ?? 'IPv4', second] = serviceFamilies(spec);
  const wantsBoth = spec.ipFamilyPolicy !== 'SingleStack' && (isFree || configured.length > 1);
  const both = second ?? (wantsBoth ? otherThan(first) : undefined);
  spec.ipFamilies = both === undefined ? [first] : [first, both];
  return [];
}

/** A Service that prefers both keeps what it has, though the cluster may have changed. */
function isKeptPreference(spec: ServiceSpec, old: ServiceSpec): boolean {
  return (
    spec.ipFamilyPolicy === 'PreferDualStack' &&
    old.ipFamilyPolicy === 'PreferDualStack' &&
    spec.type === old.type &&
    isSame(spec.clusterIPs, old.clusterIPs) &&
    isSame(spec.ipFamilies, old.ipFamilies)
  );
}

/** Headless and without a selector: its endpoints are its user's, of whichever family. */
function hasAnyFamily({ clusterIP, selector }: ServiceSpec): boolean {
  return clusterIP === HEADLESS && Object.keys(selector ?? {}).length === 0;
}

function otherThan(family: ServiceFamily): ServiceFamily {
  return family === 'IPv4' ? 'IPv6' : 'IPv4';
}

function releaseSecond(spec: ServiceSpec, old: ServiceSpec): FieldError[] {
  const { clusterIPs = [], ipFamilies = [], ipFamilyPolicy } = spec;
  if (ipFamilyPolicy === 'SingleStack') {
    if (isSame(clusterIPs, old.clusterIPs)) spec.clusterIPs = clusterIPs.slice(0, 1);
    if (isSame(ipFamilies, old.ipFamilies)) spec.ipFamilies = ipFamilies.slice(0, 1);
    return [];
  }
  const isFewer = (list: readonly string[], before: readonly string[] | undefined): boolean =>
    list.length > 0 && list.length < (before ?? []).length;
  const error = (what: string) =>
    invalidValue('spec.ipFamilyPolicy', ipFamilyPolicy, `must be 'SingleStack' to release the secondary ${what}`);
  return [
    ...(isFewer(clusterIPs, old.clusterIPs) ? [error('cluster IP')] : []),
    ...(isFewer(ipFamilies, old.ipFamilies) ? [error('IP family')] : []),
  ];
}

function policyErrors({ clusterIPs = [], ipFamilies = [], ipFamilyPolicy }: ServiceSpec): FieldError[] {
  if (ipFamilyPolicy !== 'SingleStack') return [];
  const error = (what: string): FieldError => {
    const detail = `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`;
    return invalidValue('spec.ipFamilyPolicy', ipFamilyPolicy, detail);
  };
  return [
    ...(clusterIPs.length === 2 ? [error('cluster IPs')] : []),
    ...(ipFamilies.length === 2 ? [error('IP families')] : []),
  ];
}

/** An address says its family. */
function inferFamilies(spec: ServiceSpec, configured: readonly ServiceFamily[]): FieldError[] {
  const { clusterIPs = [] } = spec;
  if (clusterIPs[0] === HEADLESS) return [];
  const families = serviceFamilies(spec);
  const errors: FieldError[] = [];
  for (const [i, address] of clusterIPs.entries()) {
    if (i < families.length || address === '') continue;
    const family = familyOfAddress(address);
    if (configured.includes(family)) families.push(family);
    else errors.push(invalidValue(`spec.clusterIPs[${i}]`, clusterIPs, `${family} is not configured on this cluster`));
  }
  spec.ipFamilies = families;
  return errors;
}

function missingErrors(spec: ServiceSpec, configured: readonly ServiceFamily[]): FieldError[] {
  const errors: FieldError[] = [];
  if (spec.ipFamilyPolicy === 'RequireDualStack' && configured.length < 2) {
    const detail = 'this cluster is not configured for dual-stack services';
    errors.push(invalidValue('spec.ipFamilyPolicy', spec.ipFamilyPolicy, detail));
  }
  for (const [i, family] of serviceFamilies(spec).entries()) {
    if (configured.includes(family)) continue;
    errors.push(invalidValue(`spec.ipFamilies[${i}]`, family, 'not configured on this cluster'));
  }
  return errors;
}
