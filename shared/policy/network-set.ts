/**
 * NetworkSet and GlobalNetworkSet of projectcalico.org/v3: addresses outside, with labels by which rules' selectors mean them as
 * they mean pods.
 */
import type { ObjectMeta } from '../api/object.ts';
import { type LabelLookup, parseCalicoSelector } from './calico-selector.ts';

export interface CalicoNetworkSet {
  readonly metadata?: ObjectMeta;
  readonly spec?: { readonly nets?: readonly string[] };
}

/** Of one side of a rule. */
export interface EntitySelectors {
  readonly selector?: string;
  readonly notSelector?: string;
  readonly namespaceSelector?: string;
}

const NAMESPACE_LABEL = 'projectcalico.org/namespace';
/** Of a namespace, whose other labels a set's are not known with. */
const NAMESPACE_NAMES = ['projectcalico.org/name', 'kubernetes.io/metadata.name'];
/** Means what has no namespace; it stands alone. */
const GLOBAL = 'global()';

/** The blocks of all sets that are meant. `namespace`: of a policy that has one. Throws SelectorSyntaxError. */
export function netsOf(
  sets: readonly CalicoNetworkSet[],
  { selector = '', notSelector, namespaceSelector }: EntitySelectors,
  namespace: string | undefined,
): string[] {
  const wanted = parseCalicoSelector(selector);
  const unwanted = notSelector === undefined ? undefined : parseCalicoSelector(notSelector);
  const meant = sets.filter((set) => {
    const labels = labelsOf(set);
    return (
      isWithin(set.metadata?.namespace, namespaceSelector, namespace) &&
      wanted.matches(labels) &&
      !unwanted?.matches(labels)
    );
  });
  return meant.flatMap(({ spec }) => spec?.nets ?? []);
}

function isWithin(own: string | undefined, selector: string | undefined, ofPolicy: string | undefined): boolean {
  if (selector === undefined) return ofPolicy === undefined || own === ofPolicy;
  if (own === undefined) return selector.trim() === GLOBAL;
  return parseCalicoSelector(selector).matches((key) => (NAMESPACE_NAMES.includes(key) ? own : undefined));
}

function labelsOf({ metadata }: CalicoNetworkSet): LabelLookup {
  return (key) => (key === NAMESPACE_LABEL ? metadata?.namespace : metadata?.labels?.[key]);
}
