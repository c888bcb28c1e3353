import { expect, test } from 'vitest';
import { findKind, REGISTRY } from '../registry.ts';
import { apiVersionOf } from '../resource.ts';
import { fromStorage, toStorage } from './convert.ts';

test('events change their field names and come back', () => {
  const definition = findKind('events.k8s.io/v1', 'Event')!;
  const core = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'a', namespace: 'default' },
    involvedObject: { kind: 'Pod', name: 'p' },
    message: 'm',
    reason: 'Started',
    type: 'Normal',
    source: { component: 'kubelet' },
    count: 2,
    lastTimestamp: '2026-01-31T08:00:00Z',
  };
  const served = fromStorage(core, definition);
  expect(served).toMatchObject({
    apiVersion: 'events.k8s.io/v1',
    regarding: { kind: 'Pod', name: 'p' },
    note: 'm',
    deprecatedSource: { component: 'kubelet' },
    deprecatedCount: 2,
  });
  expect(toStorage(served, definition)).toEqual(core);
});

test('a v1 autoscaler keeps what only v2 can say', () => {
  const definition = findKind('autoscaling/v1', 'HorizontalPodAutoscaler')!;
  const memory = {
    type: 'Resource',
    resource: { name: 'memory', target: { type: 'Utilization', averageUtilization: 70 } },
  };
  const cpu = { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } };
  const stored = {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'a' },
    spec: { maxReplicas: 3, metrics: [memory, cpu], behavior: { scaleUp: {} } },
    status: { conditions: [{ type: 'AbleToScale', status: 'True' }] },
  };
  const served = fromStorage(stored, definition);
  expect(served.spec).toEqual({ maxReplicas: 3, targetCPUUtilizationPercentage: 80 });
  expect(toStorage(served, definition)).toEqual(stored);
  const broken = { ...served, metadata: { annotations: { 'autoscaling.alpha.kubernetes.io/metrics': '{' } } };
  expect(toStorage(broken, definition).spec).toEqual({ maxReplicas: 3, metrics: [cpu] });
});

test('kinds that are stored as they are served do not change', () => {
  for (const definition of REGISTRY.filter(
    ({ storage, version, group }) => storage.version === version && storage.group === group,
  )) {
    const object = { apiVersion: apiVersionOf(definition), kind: definition.kind, metadata: { name: 'a' } };
    expect(toStorage(object, definition)).toBe(object);
    expect(fromStorage(object, definition)).toBe(object);
  }
});

test('an older name of the same version changes nothing but the name', () => {
  const definition = findKind('networking.k8s.io/v1beta1', 'IPAddress')!;
  const stored = { apiVersion: 'networking.k8s.io/v1', kind: 'IPAddress', metadata: { name: '10.96.0.1' } };
  expect(fromStorage(stored, definition)).toEqual({ ...stored, apiVersion: 'networking.k8s.io/v1beta1' });
  expect(toStorage(fromStorage(stored, definition), definition)).toEqual(stored);
});
