import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ApiError } from '../status.ts';
import { applyJsonPatch } from './json-patch.ts';
import { applyMergePatch } from './merge-patch.ts';
import { applyStrategicMergePatch } from './strategic-merge.ts';

describe('JSON merge patch', () => {
  // RFC 7386, appendix A.
  test.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j + %j', (target, patch, result) => {
    expect(applyMergePatch(target, patch)).toEqual(result);
  });

  test('a patch of the target itself changes nothing but its nulls, and never the prototype', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (target, patch) => {
        const once = applyMergePatch(target, patch);
        expect(applyMergePatch(once, patch)).toEqual(once);
      }),
    );
    const polluted = applyMergePatch({}, JSON.parse('{"__proto__":{"polluted":true}}')) as Record<string, unknown>;
    expect(polluted.polluted).toBeUndefined();
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('JSON Patch', () => {
  test('a failed test of a value that has no text', () => {
    const patch = [{ op: 'test', path: '/a', value: { toString: { a: 1 } } }];
    expect(() => applyJsonPatch({ a: 1 }, patch)).toThrow('the server rejected our request');
  });

  test('operations apply in turn, the target stays', () => {
    const target = { spec: { replicas: 1, list: ['a'] } };
    const patch = [
      { op: 'test', path: '/spec/replicas', value: 1 },
      { op: 'replace', path: '/spec/replicas', value: 3 },
      { op: 'add', path: '/spec/list/-', value: 'b' },
      { op: 'copy', from: '/spec/replicas', path: '/spec/copy' },
    ];
    expect(applyJsonPatch(target, patch)).toEqual({ spec: { replicas: 3, list: ['a', 'b'], copy: 3 } });
    expect(target).toEqual({ spec: { replicas: 1, list: ['a'] } });
    expect(applyJsonPatch(target, [{ op: 'replace', path: '', value: 5 }])).toBe(5);
  });

  test.each([
    [{}, 400],
    [['x'], 400],
    [[{ op: 'nonsense', path: '/a' }], 422],
    [[{ op: 'remove', path: '/missing' }], 422],
    [[{ op: 'test', path: '/a', value: 2 }], 422],
    [[{ op: 'add', path: '/b' }], 422],
    [[{ op: 'move', path: '/b' }], 422],
    [[{ op: 'add', path: 'b', value: 1 }], 422],
  ])('%j is refused with %d', (patch, code) => {
    expect(() => applyJsonPatch({ a: 1 }, patch)).toThrow(ApiError);
    try {
      applyJsonPatch({ a: 1 }, patch);
    } catch (error) {
      expect((error as ApiError).code).toBe(code);
    }
  });

  test('prototypes are out of reach', () => {
    for (const path of ['/__proto__/x', '/constructor/prototype/x']) {
      try {
        applyJsonPatch({}, [{ op: 'add', path, value: 1 }]);
      } catch (error) {
        expect(error).toBeInstanceOf(ApiError);
      }
    }
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });
});

function patchPodSpec(spec: Record<string, unknown>, patch: Record<string, unknown>): unknown {
  return applyStrategicMergePatch({ spec }, { spec: patch }, 'core.v1.Pod').spec;
}

describe('strategic merge patch', () => {
  const containers = [
    { name: 'a', image: 'a:1', args: ['x'] },
    { name: 'b', image: 'b:1' },
  ];

  test('lists with a merge key merge by it, others are replaced', () => {
    expect(
      patchPodSpec({ containers }, { containers: [{ name: 'a', image: 'a:2', args: ['y'] }, { name: 'c' }] }),
    ).toEqual({
      containers: [{ name: 'a', image: 'a:2', args: ['y'] }, { name: 'b', image: 'b:1' }, { name: 'c' }],
    });
    expect(patchPodSpec({ tolerations: [{ key: 'a' }] }, { tolerations: [{ key: 'b' }] })).toEqual({
      tolerations: [{ key: 'b' }],
    });
  });

  test('elements are deleted, lists and maps replaced by directive', () => {
    expect(patchPodSpec({ containers }, { containers: [{ name: 'a', $patch: 'delete' }] })).toEqual({
      containers: [containers[1]],
    });
    expect(patchPodSpec({ containers }, { containers: [{ $patch: 'replace' }, { name: 'z' }] })).toEqual({
      containers: [{ name: 'z' }],
    });
    const twice = [
      { name: 'z', image: '1' },
      { name: 'z', image: '2' },
    ];
    expect(patchPodSpec({ containers }, { containers: [...twice, { $patch: 'replace' }] })).toEqual({
      containers: twice,
    });
    expect(patchPodSpec({ nodeSelector: { a: '1' } }, { nodeSelector: { $patch: 'replace', b: '2' } })).toEqual({
      nodeSelector: { b: '2' },
    });
    expect(patchPodSpec({ nodeSelector: { a: '1' } }, { nodeSelector: { $patch: 'delete' } })).toEqual({});
    expect(patchPodSpec({ nodeSelector: { a: '1', b: '2' } }, { nodeSelector: { a: null } })).toEqual({
      nodeSelector: { b: '2' },
    });
  });

  test('the order of elements', () => {
    expect(
      patchPodSpec(
        { containers },
        { '$setElementOrder/containers': [{ name: 'c' }, { name: 'b' }, { name: 'a' }], containers: [{ name: 'c' }] },
      ),
    ).toMatchObject({ containers: [{ name: 'c' }, { name: 'b' }, { name: 'a' }] });
    expect(
      patchPodSpec({ containers }, { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] }),
    ).toMatchObject({ containers: [{ name: 'b' }, { name: 'a' }] });
    // The server's own element stays in front of what it was in front of.
    expect(
      patchPodSpec(
        { containers: [{ name: 'sidecar' }, { name: 'a' }] },
        { '$setElementOrder/containers': [{ name: 'a' }, { name: 'n' }], containers: [{ name: 'n' }] },
      ),
    ).toMatchObject({ containers: [{ name: 'sidecar' }, { name: 'a' }, { name: 'n' }] });
  });

  test('lists of scalars', () => {
    const target = { metadata: { finalizers: ['a', 'b'] } };
    const patch = { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'], finalizers: ['c'] } };
    expect(applyStrategicMergePatch(target, patch, 'core.v1.Pod')).toEqual({ metadata: { finalizers: ['b', 'c'] } });
  });

  test('retained keys', () => {
    const target = { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } };
    const patch = { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } };
    expect(applyStrategicMergePatch(target, patch, 'apps.v1.Deployment')).toEqual({
      spec: { strategy: { type: 'Recreate' } },
    });
  });

  test.each([
    [{ spec: { containers: [{ image: 'x' }] } }, /merge key: name/],
    [{ spec: { containers: ['x'] } }, /list of objects/],
    [{ spec: { nodeSelector: { $patch: 'x' } } }, /\$patch/],
    [[], /object/],
  ])('%j is refused', (patch, message) => {
    expect(() => applyStrategicMergePatch({ spec: { containers } }, patch, 'core.v1.Pod')).toThrow(message);
  });

  test('ports of a Service merge by port', () => {
    const target = { spec: { ports: [{ port: 80, targetPort: 8080 }] } };
    const patch = { spec: { ports: [{ port: 80, nodePort: 30080 }, { port: 443 }] } };
    expect(applyStrategicMergePatch(target, patch, 'core.v1.Service')).toEqual({
      spec: { ports: [{ port: 80, targetPort: 8080, nodePort: 30080 }, { port: 443 }] },
    });
  });
});
