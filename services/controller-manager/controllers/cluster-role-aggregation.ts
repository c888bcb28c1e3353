/** A ClusterRole with an aggregationRule has the rules of all that its selectors find (Kubernetes "Aggregated ClusterRoles"). */
import type { ClusterRole, PolicyRule } from 'kubernetes-types/rbac/v1.js';
import { isSame } from '../../../shared/api/json-equality.ts';
import { labelSelectorMatches, selectorFromObject } from '../../../shared/api/label-selector.ts';
import type { Live } from '../../../shared/api/live.ts';
import { CLUSTERROLES } from '../../../shared/api/resources.ts';
import { NOTHING, type Outcome } from '../action.ts';
import { type Controller, keyOf, keysFrom } from '../controller.ts';
import type { Informers } from '../informers.ts';

export interface AggregationState {
  readonly role: Live<ClusterRole>;
  readonly all: readonly Live<ClusterRole>[];
}

export function clusterRoleAggregation(informers: Informers): Controller<AggregationState> {
  const roles = informers.of<Live<ClusterRole>>(CLUSTERROLES);
  return {
    name: 'clusterrole-aggregation-controller',
    sources: [
      // A role that comes, changes or goes may be a part of any that is put together.
      keysFrom(roles, () => roles.list().filter(isAggregated).map(keyOf)),
    ],
    gather(key) {
      const role = roles.get(key.slice(1));
      return role === undefined || !isAggregated(role) ? undefined : { role, all: roles.list() };
    },
    reconcile: reconcileAggregation,
  };
}

function isAggregated({ aggregationRule }: Live<ClusterRole>): boolean {
  return aggregationRule !== undefined;
}

/** Parts in the order of their names, each rule once. */
export function reconcileAggregation({ role, all }: AggregationState): Outcome {
  const selectors = (role.aggregationRule?.clusterRoleSelectors ?? []).flatMap((one) => selectorFromObject(one) ?? []);
  const parts = all
    .filter(({ metadata }) => metadata.name !== role.metadata.name)
    .filter(({ metadata }) => selectors.some((selector) => labelSelectorMatches(selector, metadata.labels)))
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const rules: PolicyRule[] = [];
  for (const rule of parts.flatMap((part) => part.rules ?? [])) {
    if (!rules.some((known) => isSame(known, rule))) rules.push(rule);
  }
  if (isSame(rules, role.rules ?? [])) return NOTHING;
  const body = { metadata: { resourceVersion: role.metadata.resourceVersion }, rules };
  const { name } = role.metadata;
  return { actions: [{ kind: 'patch', resource: CLUSTERROLES, name, namespace: undefined, type: 'merge', body }] };
}
