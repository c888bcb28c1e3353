/**
 * NetworkSet and GlobalNetworkSet of projectcalico.org/v3: addresses outside, with labels by which rules' selectors mean them as
 * they mean pods.
 */
import type { ObjectMeta } from '../api/object.ts';
import type { CalicoCluster, Labels } from './calico-cluster.ts';
import type { EntitySelectors } from './calico-expression.ts';
import { labelsWithin, NAME_LABEL } from './calico-labels.ts';
import { type CalicoSelector, parseCalicoSelector } from './calico-selector.ts';

export interface CalicoNetworkSet {
  readonly metadata?: ObjectMeta;
  readonly spec?: { readonly nets?: readonly string[] };
}

/** What a namespace is called among its own labels. */
const NAMESPACE_NAMES = [NAME_LABEL, 'kubernetes.io/metadata.name'];
/** Means what has no namespace; it stands alone. */
const GLOBAL = 'global()';

/** The blocks of all sets that are meant. `namespace`: of a policy that has one. Throws SelectorSyntaxError. */
export function netsOf(
  { sets, namespaces }: CalicoCluster,
  { selector = '', notSelector, namespaceSelector }: EntitySelectors,
  namespace: string | undefined,
): string[] {
  const wanted = parseCalicoSelector(selector);
  const unwanted = notSelector === undefined ? undefined : parseCalicoSelector(notSelector);
  const ofPlace = namespaceSelector === undefined ? undefined : parseCalicoSelector(namespaceSelector);
  const meant = sets.filter(({ metadata }) => {
    const own = metadata?.namespace;
    const ofNamespace = own === undefined ? {} : (namespaces.get(own) ?? {});
    const labels = labelsWithin(own, ofNamespace, metadata?.labels);
    return isWithin(own, ofNamespace, ofPlace, namespace) && wanted.matches(labels) && !unwanted?.matches(labels);
  });
  return meant.flatMap(({ spec }) => spec?.nets ?? []);
}

function isWithin(
  own: string | undefined,
  labels: Labels,
  selector: CalicoSelector | undefined,
  ofPolicy: string | undefined,
): boolean {
  if (selector === undefined) return ofPolicy === undefined || own === ofPolicy;
  if (own === undefined) return selector.text.trim() === GLOBAL;
  return selector.matches((key) => (NAMESPACE_NAMES.includes(key) ? own : labels[key]));
}
