/** What policies need to know of a node. */
import type { Node } from 'kubernetes-types/core/v1.d.ts';

export interface PolicyNode {
  readonly labels: Readonly<Record<string, string>>;
  /** As text. */
  readonly addresses: readonly string[];
}

export function policyNodeOf({ metadata, status }: Node): PolicyNode {
  const isIp = ({ type }: { readonly type: string }): boolean => type === 'InternalIP' || type === 'ExternalIP';
  return {
    labels: metadata?.labels ?? {},
    addresses: (status?.addresses ?? []).filter(isIp).map(({ address }) => address),
  };
}
