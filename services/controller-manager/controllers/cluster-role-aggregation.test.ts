import type { ClusterRole } from 'kubernetes-types/rbac/v1.js';
import { describe, expect, it } from 'vitest';
import type { Live } from '../../../shared/api/live.ts';
import { meta } from '../objects.testkit.ts';
import { reconcileAggregation } from './cluster-role-aggregation.ts';

const get = { verbs: ['get'], apiGroups: [''], resources: ['pods'] };
const list = { verbs: ['list'], apiGroups: ['apps'], resources: ['deployments'] };

function part(
  name: string,
  rules: ClusterRole['rules'],
  labels: Record<string, string> = { part: 'yes' },
): Live<ClusterRole> {
  return { metadata: meta(name, { labels }), rules: rules as NonNullable<ClusterRole['rules']> };
}

const whole: Live<ClusterRole> = {
  metadata: meta('whole', { labels: { part: 'yes' }, resourceVersion: '7' }),
  aggregationRule: { clusterRoleSelectors: [{ matchLabels: { part: 'yes' } }] },
  rules: [],
};

describe('reconcileAggregation', () => {
  it('puts together the rules of what the selectors find, each once', () => {
    const all = [whole, part('b', [list, get]), part('a', [get]), part('c', [get], { part: 'no' })];
    expect(reconcileAggregation({ role: whole, all }).actions).toMatchObject([
      { kind: 'patch', name: 'whole', body: { metadata: { resourceVersion: '7' }, rules: [get, list] } },
    ]);
  });

  it('has nothing to do when they are there', () => {
    expect(reconcileAggregation({ role: { ...whole, rules: [get] }, all: [whole, part('a', [get])] }).actions).toEqual(
      [],
    );
  });
});
