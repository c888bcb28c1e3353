import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LEASES, NODES, PODS } from '../api/resources.ts';
import { decodeKey, decodeToken, encodeKey, encodeToken, objectKey, resourceFilter } from './store-layout.ts';

describe('keys', () => {
  it.each([
    [objectKey(PODS, 'web-0', 'default'), 'core.pods.default.web-0'],
    [objectKey(NODES, 'worker-1.lab'), 'core.nodes._.worker-1=2elab'],
    [objectKey(LEASES, 'system:node', 'kube-system'), 'coordination=2ek8s=2eio.leases.kube-system.system=3anode'],
    [objectKey(NODES, 'é'), 'core.nodes._.=c3=a9'],
  ])('%o is %s', (key, text) => {
    expect(encodeKey(key)).toBe(text);
    expect(decodeKey(text)).toEqual(key);
  });

  it.each(['', 'core.pods.default', 'core.pods.default.a.b', 'core.pods..a', 'core.pods.x.=zz', 'core.pods.x.=61'])(
    'refuses %o',
    (text) => {
      expect(decodeKey(text)).toBeUndefined();
    },
  );

  it('tokens keep any text, in characters that a subject allows', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), (text) => {
        const token = encodeToken(text);
        expect(token).toMatch(/^[A-Za-z0-9_=-]+$/);
        expect(decodeToken(token)).toBe(text);
      }),
    );
  });
});

describe('filters', () => {
  it('name a resource, or its objects in a namespace', () => {
    expect(resourceFilter('lab', PODS)).toBe('$KV.podwire-lab.core.pods.>');
    expect(resourceFilter('lab', LEASES, 'a.b')).toBe('$KV.podwire-lab.coordination=2ek8s=2eio.leases.a=2eb.*');
  });
});
