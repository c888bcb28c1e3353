import { expect, it } from 'vitest';
import type { KubeObject } from '../../../shared/api/object.ts';
import { calicoManifests } from './calico-resources.ts';

interface Definition extends KubeObject {
  readonly spec?: { readonly names?: { readonly shortNames?: readonly string[] } };
}

const objectsOf = (...parameters: Parameters<typeof calicoManifests>): readonly Definition[] =>
  calicoManifests(...parameters).map(({ object }) => object as Definition); // as this file writes them

it("brings definitions with the names that people type, tiers, and a pool where addresses are calico's", () => {
  const objects = objectsOf('10.244.0.0/16', 'vxlan-cross-subnet');
  const named = (kind: string) => objects.filter((object) => object.kind === kind);
  const shortNames = named('CustomResourceDefinition').flatMap(({ spec }) => spec?.names?.shortNames ?? []);
  expect(shortNames).toEqual(expect.arrayContaining(['gnp', 'cnp', 'netsets', 'bgpconfig']));
  expect(new Set(shortNames).size).toBe(shortNames.length);
  expect(named('Tier').map(({ metadata }) => metadata?.name)).toContain('default');
  expect(named('IPPool')).toMatchObject([
    { spec: { cidr: '10.244.0.0/16', ipipMode: 'Never', vxlanMode: 'CrossSubnet' } },
  ]);
  expect(objectsOf(undefined, 'ipip').some(({ kind }) => kind === 'IPPool')).toBe(false);
});
