/** What calico's selectors ask pods and network sets alike: their own labels, and those of the namespace that they are in. */
import type { Labels } from './calico-cluster.ts';
import type { LabelLookup } from './calico-selector.ts';

/** What namespaces and service accounts are called among their own labels. */
export const NAME_LABEL = 'projectcalico.org/name';
const NAMESPACE_LABEL = 'projectcalico.org/namespace';
const NAMESPACE_PREFIX = 'pcns.';

export function labelsWithin(
  namespace: string | undefined,
  ofNamespace: Labels | undefined,
  own: Labels | undefined,
): LabelLookup {
  return (key) => {
    if (key === NAMESPACE_LABEL) return namespace;
    if (key.startsWith(NAMESPACE_PREFIX)) return ofNamespace?.[key.slice(NAMESPACE_PREFIX.length)];
    return own?.[key];
  };
}
