import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../object.ts';
import { CONFIGMAPS, DEPLOYMENTS, PERSISTENTVOLUMECLAIMS, PODS, SERVICES } from '../resources.ts';
import { quantitiesOf } from './amounts.ts';
import { isInScope } from './scope.ts';
import { missingResources, quotaUsage } from './usage.ts';

const NOW_MS = Date.parse('2026-01-01T00:01:00Z');

function usage(resource: Parameters<typeof quotaUsage>[0], fields: object): Record<string, string> {
  return quantitiesOf(quotaUsage(resource, { metadata: {}, ...fields } as KubeObject, NOW_MS));
}

const web = { name: 'web', resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '1' } } };

describe('what an object takes of a quota', () => {
  test('a pod: itself and what its containers ask for', () => {
    expect(usage(PODS, { spec: { containers: [web, { ...web, name: 'b' }] } })).toEqual({
      'count/pods': '1',
      pods: '1',
      cpu: '200m',
      'requests.cpu': '200m',
      memory: '128Mi',
      'requests.memory': '128Mi',
      'limits.cpu': '2',
    });
  });

  test.each([
    { status: { phase: 'Succeeded' } },
    { status: { phase: 'Failed' } },
    { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 30 } },
  ])('a pod that is over is an object and nothing else: %j', (over) => {
    expect(usage(PODS, { spec: { containers: [web] }, ...over })).toEqual({ 'count/pods': '1' });
  });

  test('Services: node ports and load balancers', () => {
    const ports = [{ port: 80 }, { port: 443 }];
    expect(usage(SERVICES, { spec: { type: 'ClusterIP', ports } })).toEqual({ 'count/services': '1', services: '1' });
    expect(usage(SERVICES, { spec: { type: 'LoadBalancer', ports } })).toEqual({
      'count/services': '1',
      services: '1',
      'services.nodeports': '2',
      'services.loadbalancers': '1',
    });
  });

  test('claims, by their class as well', () => {
    const spec = { storageClassName: 'fast', resources: { requests: { storage: '1Gi' } } };
    expect(usage(PERSISTENTVOLUMECLAIMS, { spec })).toEqual({
      'count/persistentvolumeclaims': '1',
      persistentvolumeclaims: '1',
      'requests.storage': '1Gi',
      'fast.storageclass.storage.k8s.io/persistentvolumeclaims': '1',
      'fast.storageclass.storage.k8s.io/requests.storage': '1Gi',
    });
  });

  test('everything else by number', () => {
    expect(usage(CONFIGMAPS, {})).toEqual({ 'count/configmaps': '1', configmaps: '1' });
    expect(usage(DEPLOYMENTS, {})).toEqual({ 'count/deployments.apps': '1' });
  });
});

test('what containers must say', () => {
  const pod = { spec: { containers: [{ name: 'b' }, web, { name: 'a' }] } };
  expect(missingResources(pod, ['limits.cpu', 'requests.memory', 'pods'])).toBe(
    'must specify limits.cpu for: a,b; requests.memory for: a,b',
  );
  expect(missingResources(pod, ['pods'])).toBeUndefined();
});

test.each([
  [{ scopes: ['BestEffort'] }, true],
  [{ scopes: ['NotBestEffort'] }, false],
  [{ scopes: ['Terminating'] }, true],
  [{ scopes: ['NotTerminating'] }, false],
  [{ scopes: ['BestEffort', 'NotTerminating'] }, false],
  [{ scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }] } }, true],
  [{ scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'DoesNotExist' }] } }, false],
  [{}, true],
])('scopes %j', (spec, expected) => {
  const pod = {
    spec: { containers: [], activeDeadlineSeconds: 5, priorityClassName: 'high' },
    status: { qosClass: 'BestEffort' },
  };
  expect(isInScope({ spec }, pod)).toBe(expected);
  expect(isInScope({ spec }, undefined)).toBe(Object.keys(spec).length === 0);
});
