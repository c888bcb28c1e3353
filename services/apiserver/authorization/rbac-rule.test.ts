import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AccessAttributes, PolicyRule } from './authorizer.ts';
import { ruleAllows, ruleText, uncovered } from './rbac-rule.ts';

function asks(verb: string, target: string, name?: string, group = ''): AccessAttributes {
  const [resource = '', subresource] = target.split('/');
  return { kind: 'resource', verb, group, version: 'v1', resource, subresource, namespace: 'default', name };
}

const pods: PolicyRule = { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'] };

describe('ruleAllows', () => {
  it.each<[PolicyRule, AccessAttributes, boolean]>([
    [pods, asks('get', 'pods', 'web'), true],
    [pods, asks('delete', 'pods', 'web'), false],
    [pods, asks('get', 'pods/log', 'web'), false],
    [pods, asks('get', 'pods', 'web', 'apps'), false],
    [{ ...pods, resources: ['pods/log'] }, asks('get', 'pods/log', 'web'), true],
    [{ ...pods, resources: ['pods/log'] }, asks('get', 'pods', 'web'), false],
    [{ ...pods, resources: ['*/scale'] }, asks('get', 'deployments/scale', 'web'), true],
    [{ ...pods, resources: ['*'] }, asks('get', 'pods/log', 'web'), true],
    [{ ...pods, verbs: ['*'] }, asks('deletecollection', 'pods'), true],
    [{ ...pods, apiGroups: ['*'] }, asks('get', 'pods', 'web', 'apps'), true],
    [{ ...pods, resourceNames: ['web'] }, asks('get', 'pods', 'web'), true],
    [{ ...pods, resourceNames: ['web'] }, asks('get', 'pods', 'db'), false],
    [{ ...pods, resourceNames: ['web'] }, asks('list', 'pods'), false],
    [{ verbs: ['get'], nonResourceURLs: ['/api/*'] }, { kind: 'path', verb: 'get', path: '/api/v1' }, true],
    [{ verbs: ['get'], nonResourceURLs: ['/api'] }, { kind: 'path', verb: 'get', path: '/api/v1' }, false],
    [{ verbs: ['get'], nonResourceURLs: ['*'] }, { kind: 'path', verb: 'post', path: '/api' }, false],
    [pods, { kind: 'path', verb: 'get', path: '/pods' }, false],
  ])('%j, %j: %s', (rule, attributes, allowed) => {
    expect(ruleAllows(rule, attributes)).toBe(allowed);
  });
});

const word = (...words: string[]) => fc.uniqueArray(fc.constantFrom(...words), { minLength: 1, maxLength: 3 });
const anyRule: fc.Arbitrary<PolicyRule> = fc.oneof(
  fc.record({
    verbs: word('get', 'list', 'create', '*'),
    apiGroups: word('', 'apps', '*'),
    resources: word('pods', 'pods/log', 'deployments', '*/scale', '*'),
    resourceNames: fc.oneof(fc.constant([]), word('a', 'b')),
  }),
  fc.record({ verbs: word('get', '*'), nonResourceURLs: word('/api', '/api/*', '*') }),
);

describe('uncovered', () => {
  it('names what is not held, piece by piece', () => {
    const wanted = [{ verbs: ['get', 'delete'], apiGroups: [''], resources: ['pods', 'secrets'] }];
    expect(uncovered([pods], wanted).map(ruleText)).toEqual([
      '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}',
      '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}',
      '{APIGroups:[""], Resources:["secrets"], Verbs:["delete"]}',
    ]);
  });

  it('is nothing of what is held, and nothing under the rule of all', () => {
    const everything = [
      { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
      { verbs: ['*'], nonResourceURLs: ['*'] },
    ];
    fc.assert(
      fc.property(fc.array(anyRule), (rules) => {
        expect(uncovered(rules, rules)).toEqual([]);
        expect(uncovered(everything, rules)).toEqual([]);
      }),
    );
  });

  it('lets nobody give what they may not do', () => {
    const resources = ['pods', 'pods/log', 'deployments', 'deployments/scale', 'secrets'];
    const requests = ['get', 'list', 'create', 'delete'].flatMap((verb) =>
      resources.flatMap((resource) =>
        ['', 'apps', 'batch'].flatMap((group) =>
          ['a', 'c', undefined].map((name) => asks(verb, resource, name, group)),
        ),
      ),
    );
    fc.assert(
      fc.property(fc.array(anyRule, { maxLength: 4 }), fc.array(anyRule, { maxLength: 2 }), (owned, wanted) => {
        if (uncovered(owned, wanted).length > 0) return;
        for (const request of requests) {
          const given = wanted.some((rule) => ruleAllows(rule, request));
          if (given)
            expect(
              owned.some((rule) => ruleAllows(rule, request)),
              JSON.stringify(request),
            ).toBe(true);
        }
      }),
    );
  });
});
