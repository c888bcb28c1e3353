/** Inter-pod affinity terms ("Assigning Pods to Nodes", inter-pod affinity): which pods a term speaks of. */
import type { Pod, PodAffinityTerm } from 'kubernetes-types/core/v1.js';
import { type LabelSelector, labelSelectorMatches, selectorFromObject } from '../../shared/api/label-selector.ts';
import type { Live } from '../../shared/api/live.ts';
import type { Placement } from './filters/filter.ts';

export interface CompiledTerm {
  readonly topologyKey: string;
  matches(other: Live<Pod>): boolean;
}

/** `of` is the pod whose spec holds the term. */
export function compileTerm(term: PodAffinityTerm, of: Live<Pod>, namespaces: Placement['namespaces']): CompiledTerm {
  const selector = withLabelKeys(term, of);
  const namespaceSelector = selectorFromObject(term.namespaceSelector);
  const listed = new Set(term.namespaces ?? []);
  if (listed.size === 0 && term.namespaceSelector === undefined) listed.add(of.metadata.namespace ?? '');
  const inNamespace = (namespace: string): boolean =>
    listed.has(namespace) ||
    (namespaceSelector !== undefined &&
      labelSelectorMatches(namespaceSelector, namespaces.get(namespace)?.metadata.labels));
  return {
    topologyKey: term.topologyKey,
    matches: (other) =>
      selector !== undefined &&
      inNamespace(other.metadata.namespace ?? '') &&
      labelSelectorMatches(selector, other.metadata.labels),
  };
}

/** matchLabelKeys and mismatchLabelKeys compare with the pod's own labels. */
function withLabelKeys(term: PodAffinityTerm, of: Live<Pod>): LabelSelector | undefined {
  const selector = selectorFromObject(term.labelSelector);
  if (selector === undefined) return undefined;
  const requirement = (operator: 'in' | 'notin') => (key: string) => {
    const value = of.metadata.labels?.[key];
    return value === undefined ? [] : [{ key, operator, values: [value] }];
  };
  return {
    requirements: [
      ...selector.requirements,
      ...(term.matchLabelKeys ?? []).flatMap(requirement('in')),
      ...(term.mismatchLabelKeys ?? []).flatMap(requirement('notin')),
    ],
  };
}
