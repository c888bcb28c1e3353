import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fieldAt, type KubeObject } from '../object.ts';
import { mergeTypeOf, mergeTypeOfOpenApi } from '../schema/merge-type.ts';
import type { ApiError } from '../status.ts';
import { FieldSet, pathText } from './field-set.ts';
import { applyConfiguration, trackUpdate, type Writer } from './managed-fields.ts';

const DEPLOYMENT = mergeTypeOf('apps.v1.Deployment');
const TIME = '2026-01-31T08:00:00Z';

function writer(manager: string, time = TIME): Writer {
  return { manager, apiVersion: 'apps/v1', time };
}

function deployment(spec: Record<string, unknown>, metadata: KubeObject['metadata'] = { name: 'web' }): KubeObject {
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec };
}

function withContainers(...containers: object[]): Record<string, unknown> {
  return { template: { spec: { containers } } };
}

function containersOf(object: KubeObject): unknown {
  return (object.spec as { template: { spec: { containers: unknown } } }).template.spec.containers;
}

function apply(
  live: KubeObject | undefined,
  applied: KubeObject,
  manager: string,
  force = false,
  time = TIME,
): KubeObject {
  return applyConfiguration(live, applied, DEPLOYMENT, writer(manager, time), force);
}

describe('field sets', () => {
  test('fieldsV1 there and back', () => {
    const fields = { 'f:spec': { 'f:replicas': {}, 'f:list': { 'k:{"name":"a"}': { '.': {}, 'f:image': {} } } } };
    expect(FieldSet.fromFieldsV1(fields).toFieldsV1()).toEqual(fields);
    expect(FieldSet.fromFieldsV1('nonsense').isEmpty()).toBe(true);
  });

  test('paths as text', () => {
    expect(pathText(['f:spec', 'f:ports', 'k:{"port":80,"protocol":"TCP"}', 'f:name'])).toBe(
      '.spec.ports[port=80,protocol="TCP"].name',
    );
    expect(pathText(['f:metadata', 'f:finalizers', 'v:"x"'])).toBe('.metadata.finalizers[="x"]');
  });

  test('union and difference', () => {
    const paths = fc.array(fc.array(fc.constantFrom('f:a', 'f:b', 'f:c'), { minLength: 1, maxLength: 3 }));
    fc.assert(
      fc.property(paths, paths, (left, right) => {
        const [a, b] = [FieldSet.of(left), FieldSet.of(right)];
        expect(a.union(b).without(b).equals(a.without(b))).toBe(true);
        expect(FieldSet.fromFieldsV1(a.union(b).toFieldsV1()).equals(a.union(b))).toBe(true);
      }),
    );
  });
});

describe('apply', () => {
  test('the first apply notes what it set', () => {
    const object = apply(
      undefined,
      deployment({ replicas: 3, ...withContainers({ name: 'a', image: 'x' }) }),
      'kubectl',
    );
    expect(object.metadata.managedFields).toEqual([
      {
        manager: 'kubectl',
        operation: 'Apply',
        apiVersion: 'apps/v1',
        time: TIME,
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:spec': {
            'f:replicas': {},
            'f:template': {
              'f:spec': { 'f:containers': { 'k:{"name":"a"}': { '.': {}, 'f:image': {}, 'f:name': {} } } },
            },
          },
        },
      },
    ]);
  });

  test('what is no longer applied goes, what others hold stays', () => {
    const first = apply(
      undefined,
      deployment({ paused: true, ...withContainers({ name: 'a', image: 'x' }, { name: 'b', image: 'y' }) }),
      'kubectl',
    );
    const second = apply(first, deployment(withContainers({ name: 'c', image: 'z' })), 'other');
    const third = apply(second, deployment(withContainers({ name: 'a', image: 'x' })), 'kubectl');
    expect(third.spec).not.toHaveProperty('paused');
    expect(containersOf(third)).toEqual([
      { name: 'a', image: 'x' },
      { name: 'c', image: 'z' },
    ]);
  });

  test('a field of another manager is a conflict, until forced', () => {
    const live = trackUpdate(undefined, deployment({ replicas: 1 }), DEPLOYMENT, writer('kubectl-edit'));
    const wanted = deployment({ replicas: 3 });
    expect(() => apply(live, wanted, 'kubectl')).toThrow(
      `Apply failed with 1 conflict: conflict with "kubectl-edit" using apps/v1 at ${TIME}: .spec.replicas`,
    );
    try {
      apply(live, wanted, 'kubectl');
    } catch (error) {
      expect((error as ApiError).toStatus()).toMatchObject({
        code: 409,
        reason: 'Conflict',
        details: { causes: [{ reason: 'FieldManagerConflict', field: '.spec.replicas' }] },
      });
    }
    const forced = apply(live, wanted, 'kubectl', true);
    expect(forced.spec).toEqual({ replicas: 3 });
    expect(forced.metadata.managedFields?.map(({ manager }) => manager)).toEqual(['kubectl']);
  });

  test('several conflicts are listed by manager', () => {
    const live = apply(undefined, deployment({ replicas: 1, paused: true }), 'a');
    expect(() => apply(live, deployment({ replicas: 2, paused: false }), 'b')).toThrow(
      'Apply failed with 2 conflicts: conflicts with "a":\n- .spec.replicas\n- .spec.paused',
    );
  });

  test('the same value is shared, not fought over', () => {
    const live = apply(undefined, deployment({ replicas: 1 }), 'a');
    const both = apply(live, deployment({ replicas: 1 }), 'b');
    expect(both.metadata.managedFields).toHaveLength(2);
    const left = apply(both, deployment({}), 'a');
    expect(left.spec).toEqual({ replicas: 1 });
  });

  test('applying again changes nothing, not even the time', () => {
    const once = apply(undefined, deployment({ replicas: 1 }), 'a');
    expect(apply(once, deployment({ replicas: 1 }), 'a', false, '2027-01-01T00:00:00Z')).toEqual(once);
  });

  test('objects from before fields were tracked', () => {
    const live = deployment({ replicas: 1, paused: true });
    expect(() => apply(live, deployment({ replicas: 2 }), 'a')).toThrow(/"before-first-apply" using apps\/v1/);
    expect(apply(live, deployment({ replicas: 1 }), 'a').metadata.managedFields).toHaveLength(2);
  });

  test('quantities are the same by amount', () => {
    const limits = (cpu: string) => withContainers({ name: 'a', resources: { limits: { cpu } } });
    const live = apply(undefined, deployment(limits('500m')), 'a');
    expect(() => apply(live, deployment(limits('0.5')), 'b')).not.toThrow();
    expect(() => apply(live, deployment(limits('1')), 'b')).toThrow(/limits\.cpu/);
  });

  test.each([
    [deployment(withContainers({ image: 'x' })), /omits key field "name"/],
    [deployment(withContainers({ name: 'a' }, { name: 'a' })), /duplicate entries for key \[name="a"\]/],
    [deployment({}, { name: 'a', managedFields: [{ manager: 'x' }] }), /managedFields must be nil/],
  ])('%# is refused', (wanted, message) => {
    expect(() => apply(undefined, wanted, 'a')).toThrow(message);
  });
});

describe('updates', () => {
  test('the writer takes what it changed, what is gone is nobody’s', () => {
    const live = apply(undefined, deployment({ replicas: 1, paused: true, minReadySeconds: 3 }), 'kubectl');
    const edited = { ...live, spec: { replicas: 5, minReadySeconds: 3 } };
    const after = trackUpdate(live, edited, DEPLOYMENT, writer('editor'));
    const fields = Object.fromEntries(
      after.metadata.managedFields!.map(({ manager, fieldsV1 }) => [manager, fieldsV1]),
    );
    expect(fields).toEqual({
      kubectl: { 'f:spec': { 'f:minReadySeconds': {} } },
      editor: { 'f:spec': { 'f:replicas': {} } },
    });
  });

  test('an update that changes nothing keeps the managers', () => {
    const live = apply(undefined, deployment({ replicas: 1 }), 'kubectl');
    expect(trackUpdate(live, live, DEPLOYMENT, writer('editor'))).toEqual(live);
  });

  test('only what differs changes hands, elements of lists too', () => {
    const before = deployment(withContainers({ name: 'a', image: 'x' }, { name: 'b', image: 'y' }));
    const live = trackUpdate(undefined, before, DEPLOYMENT, writer('maker'));
    const edited = { ...live, ...deployment(withContainers({ name: 'b', image: 'z' }, { name: 'c' }), live.metadata) };
    const after = trackUpdate(live, edited, DEPLOYMENT, writer('editor'));
    const containers = (i: number): unknown =>
      fieldAt(after.metadata.managedFields?.[i]?.fieldsV1, 'f:spec', 'f:template', 'f:spec', 'f:containers');
    expect(containers(0)).toEqual({ 'k:{"name":"b"}': { '.': {}, 'f:name': {} } });
    expect(containers(1)).toEqual({
      'k:{"name":"b"}': { 'f:image': {} },
      'k:{"name":"c"}': { '.': {}, 'f:name': {} },
    });
  });

  test('lists that keys cannot tell apart are one field', () => {
    const ports = [
      { containerPort: 80, name: 'a' },
      { containerPort: 80, name: 'b' },
    ];
    const object = deployment(withContainers({ name: 'a', ports }));
    const tracked = trackUpdate(undefined, object, DEPLOYMENT, writer('x'));
    expect(tracked.spec).toEqual(object.spec);
    expect(JSON.stringify(tracked.metadata.managedFields)).toContain('"f:ports":{}');
  });

  test('a client may throw all managers away', () => {
    const live = apply(undefined, deployment({ replicas: 1 }), 'kubectl');
    const reset = deployment({ replicas: 1 }, { name: 'web', managedFields: [{}] });
    expect(trackUpdate(live, reset, DEPLOYMENT, writer('x')).metadata.managedFields).toBeUndefined();
  });
});

test('custom resources merge by their schema', () => {
  const type = mergeTypeOfOpenApi({
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: {
          items: {
            type: 'array',
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['id'],
            items: { type: 'object', properties: { id: { type: 'string' } } },
          },
        },
      },
    },
  });
  const object = (ids: string[]): KubeObject => ({
    metadata: { name: 'a' },
    spec: { items: ids.map((id) => ({ id })), other: [1] },
  });
  const live = applyConfiguration(undefined, object(['x']), type, writer('a'), false);
  const both = applyConfiguration(live, object(['y']), type, writer('b'), false);
  expect(both.spec).toEqual({ items: [{ id: 'x' }, { id: 'y' }], other: [1] });
});
