/** What policies that name Services need to know of one. */
import type { Service } from 'kubernetes-types/core/v1.d.ts';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.d.ts';

export interface PolicyService {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Of its pods; undefined for a Service whose endpoints somebody else writes. */
  readonly selector: Readonly<Record<string, string>> | undefined;
  /** Of its endpoints, as text. */
  readonly addresses: readonly string[];
}

const SERVICE_LABEL = 'kubernetes.io/service-name';

export function policyServicesOf(services: readonly Service[], slices: readonly EndpointSlice[]): PolicyService[] {
  const addresses = new Map<string, string[]>();
  for (const { metadata, endpoints } of slices) {
    const key = `${metadata?.namespace}/${metadata?.labels?.[SERVICE_LABEL]}`;
    const known = addresses.get(key) ?? [];
    known.push(...(endpoints ?? []).flatMap((endpoint) => endpoint.addresses));
    addresses.set(key, known);
  }
  return services.map(({ metadata, spec }) => ({
    namespace: metadata?.namespace ?? '',
    name: metadata?.name ?? '',
    labels: metadata?.labels ?? {},
    selector: spec?.selector,
    addresses: addresses.get(`${metadata?.namespace}/${metadata?.name}`) ?? [],
  }));
}
