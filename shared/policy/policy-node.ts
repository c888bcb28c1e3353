/** What policies need to know of a node. */
import type { Node } from 'kubernetes-types/core/v1.d.ts';
import { formatAddress, parsePrefix } from '../wire/ip-address.ts';

export interface PolicyNode {
  readonly labels: Readonly<Record<string, string>>;
  /** As text. */
  readonly addresses: readonly string[];
}

/** On nodes of cilium: how it routes. */
export const CILIUM_ROUTING_ANNOTATION = 'podwire.dev/cilium-routing';
/** Of a node's pod CIDR: where its `cilium_host` is, with which it sends to pods. The first that its IPAM gives out. */
export const CILIUM_HOST_PLACE = 2;

export function policyNodeOf({ metadata, spec, status }: Node): PolicyNode {
  const isIp = ({ type }: { readonly type: string }): boolean => type === 'InternalIP' || type === 'ExternalIP';
  const addresses = (status?.addresses ?? []).filter(isIp).map(({ address }) => address);
  const podCidr = parsePrefix(spec?.podCIDR ?? '');
  const isCilium = metadata?.annotations?.[CILIUM_ROUTING_ANNOTATION] !== undefined;
  const ciliumHost = isCilium && podCidr !== undefined ? [formatAddress(podCidr.address + CILIUM_HOST_PLACE)] : [];
  return { labels: metadata?.labels ?? {}, addresses: [...addresses, ...ciliumHost] };
}
