import { describe, expect, test } from 'vitest';
import { findKind, findResource, findSubresource, groupVersions, REGISTRY, resourcesOf } from './registry.ts';
import { apiVersionOf, groupResourceText, parseApiVersion } from './resource.ts';

describe('registry', () => {
  test('every resource is found by its URL parts and by its kind', () => {
    for (const definition of REGISTRY) {
      expect(findResource(definition.group, definition.version, definition.resource)).toBe(definition);
      expect(findKind(apiVersionOf(definition), definition.kind)).toBe(definition);
    }
  });

  test('short names are unique within a group version', () => {
    for (const { group, versions } of groupVersions()) {
      for (const version of versions) {
        const names = resourcesOf(group, version).flatMap(({ shortNames }) => shortNames);
        expect(new Set(names).size).toBe(names.length);
      }
    }
  });

  test('autoscaling prefers v2, and both versions share storage', () => {
    expect(groupVersions().find(({ group }) => group === 'autoscaling')?.versions).toEqual(['v2', 'v1']);
    const v1 = findResource('autoscaling', 'v1', 'horizontalpodautoscalers')!;
    expect(v1.storage.version).toBe('v2');
  });

  test('subresources carry the kind of their body', () => {
    const pods = findResource('', 'v1', 'pods')!;
    expect(findSubresource(pods, 'eviction')).toMatchObject({ kind: 'Eviction', group: 'policy', version: 'v1' });
    expect(findSubresource(pods, 'exec')?.connects).toBe(true);
    expect(findSubresource(pods, 'nothing')).toBeUndefined();
  });

  test('API versions', () => {
    expect(parseApiVersion('v1')).toEqual({ group: '', version: 'v1' });
    expect(parseApiVersion('apps/v1')).toEqual({ group: 'apps', version: 'v1' });
    expect(parseApiVersion('a/b/c')).toBeUndefined();
    expect(parseApiVersion('')).toBeUndefined();
    expect(groupResourceText({ group: 'apps', resource: 'deployments' })).toBe('deployments.apps');
  });
});
