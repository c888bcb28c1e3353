import type { Pod } from 'kubernetes-types/core/v1.js';
import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../object.ts';
import { REGISTRY } from '../registry.ts';
import { readJsonPath } from './custom-resource.ts';
import { summarizePod } from './pod.ts';
import { printerOf, printerOfCustomResource, tableOf } from './table.ts';

const NOW_MS = Date.parse('2026-01-31T08:00:00Z');
const CREATED = '2026-01-31T07:55:00Z';
const metadata = { name: 'web', creationTimestamp: CREATED };

function cells(schema: string, object: Record<string, unknown>) {
  return printerOf(schema).cells({ metadata, ...object } as KubeObject, NOW_MS);
}

test('every kind has as many cells as columns, even for an empty object', () => {
  for (const { schema } of REGISTRY) {
    const printer = printerOf(schema);
    const empty = { metadata: {}, spec: { source: {} } } as unknown as KubeObject;
    expect(printer.cells(empty, NOW_MS), schema).toHaveLength(printer.columns.length);
  }
});

describe('pods', () => {
  const spec = { containers: [{ name: 'a' }, { name: 'b' }], nodeName: 'worker-1' };
  const running = { name: 'a', ready: true, restartCount: 0, state: { running: {} } };

  test('a row', () => {
    const status = {
      phase: 'Running',
      podIP: '10.244.1.2',
      containerStatuses: [
        running,
        {
          name: 'b',
          ready: false,
          restartCount: 4,
          state: { waiting: { reason: 'CrashLoopBackOff' } },
          lastState: { terminated: { exitCode: 1, finishedAt: '2026-01-31T07:59:30Z' } },
        },
      ],
    };
    expect(cells('core.v1.Pod', { spec, status })).toEqual([
      'web',
      '1/2',
      'CrashLoopBackOff',
      '4 (30s ago)',
      '5m',
      '10.244.1.2',
      'worker-1',
      '<none>',
      '<none>',
    ]);
  });

  const initSpec = { ...spec, initContainers: [{ name: 'i' }, { name: 'j' }] };
  const sidecarSpec = { ...spec, initContainers: [{ name: 'i', restartPolicy: 'Always' }] };
  const started = { name: 'i', ready: true, started: true, restartCount: 2, state: { running: {} } };
  test.each([
    ['Pending', {}, spec, { phase: 'Pending' }],
    [
      'ContainerCreating',
      {},
      spec,
      {
        phase: 'Pending',
        containerStatuses: [{ ...running, ready: false, state: { waiting: { reason: 'ContainerCreating' } } }],
      },
    ],
    ['Evicted', {}, spec, { phase: 'Failed', reason: 'Evicted' }],
    [
      'SchedulingGated',
      {},
      spec,
      { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] },
    ],
    [
      'Completed',
      {},
      spec,
      {
        phase: 'Succeeded',
        containerStatuses: [{ ...running, state: { terminated: { exitCode: 0, reason: 'Completed' } } }],
      },
    ],
    [
      'ExitCode:3',
      {},
      spec,
      { phase: 'Failed', containerStatuses: [{ ...running, state: { terminated: { exitCode: 3 } } }] },
    ],
    [
      'Signal:9',
      {},
      spec,
      { phase: 'Failed', containerStatuses: [{ ...running, state: { terminated: { exitCode: 137, signal: 9 } } }] },
    ],
    [
      'NotReady',
      {},
      spec,
      {
        phase: 'Running',
        containerStatuses: [{ ...running, state: { terminated: { exitCode: 0, reason: 'Completed' } } }, running],
      },
    ],
    ['Init:0/2', {}, initSpec, { phase: 'Pending', initContainerStatuses: [{ ...running, name: 'i' }] }],
    [
      'Init:Error',
      {},
      initSpec,
      {
        phase: 'Pending',
        initContainerStatuses: [{ ...running, name: 'i', state: { terminated: { exitCode: 1, reason: 'Error' } } }],
      },
    ],
    [
      'Init:ErrImagePull',
      {},
      initSpec,
      {
        phase: 'Pending',
        initContainerStatuses: [{ ...running, name: 'i', state: { waiting: { reason: 'ErrImagePull' } } }],
      },
    ],
    [
      'Running',
      {},
      sidecarSpec,
      { phase: 'Running', initContainerStatuses: [started], containerStatuses: [running, running] },
    ],
    ['Terminating', { deletionTimestamp: CREATED }, spec, { phase: 'Running' }],
    ['Unknown', { deletionTimestamp: CREATED }, spec, { phase: 'Running', reason: 'NodeLost' }],
    ['Succeeded', { deletionTimestamp: CREATED }, spec, { phase: 'Succeeded' }],
  ])('status %s', (status, more, podSpec, podStatus) => {
    const pod = { metadata: { ...metadata, ...more }, spec: podSpec, status: podStatus } as unknown as Pod;
    expect(summarizePod(pod).status).toBe(status);
  });

  test('sidecars count as containers', () => {
    const pod = {
      metadata,
      spec: sidecarSpec,
      status: { phase: 'Running', initContainerStatuses: [started], containerStatuses: [running, running] },
    } as unknown as Pod;
    expect(summarizePod(pod)).toMatchObject({ readyContainers: 3, totalContainers: 3, restarts: 2 });
  });
});

test('services', () => {
  const ports = [
    { port: 80, protocol: 'TCP', nodePort: 30080 },
    { port: 53, protocol: 'UDP' },
  ];
  expect(
    cells('core.v1.Service', {
      spec: { type: 'NodePort', clusterIP: '10.96.0.1', ports, selector: { b: '2', a: '1' } },
    }),
  ).toEqual(['web', 'NodePort', '10.96.0.1', '<none>', '80:30080/TCP,53/UDP', '5m', 'a=1,b=2']);
  expect(cells('core.v1.Service', { spec: { type: 'LoadBalancer' } })[3]).toBe('<pending>');
  expect(
    cells('core.v1.Service', {
      spec: { type: 'LoadBalancer' },
      status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } },
    })[3],
  ).toBe('1.2.3.4');
  expect(cells('core.v1.Service', { spec: { type: 'ExternalName', externalName: 'a.b' } })[3]).toBe('a.b');
});

test('endpoints are shortened', () => {
  const addresses = ['1', '2', '3', '4'].map((n) => ({ ip: `10.0.0.${n}` }));
  expect(cells('core.v1.Endpoints', { subsets: [{ addresses, ports: [{ port: 80 }] }] })[1]).toBe(
    '10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 1 more...',
  );
  expect(cells('core.v1.Endpoints', {})[1]).toBe('<none>');
});

test('nodes, deployments, events, jobs, policies', () => {
  const node = {
    metadata: { ...metadata, labels: { 'node-role.kubernetes.io/worker': '' } },
    spec: { unschedulable: true },
    status: {
      conditions: [{ type: 'Ready', status: 'True' }],
      addresses: [{ type: 'InternalIP', address: '192.168.1.10' }],
      nodeInfo: { kubeletVersion: 'v1.33.0' },
    },
  };
  expect(cells('core.v1.Node', node)).toEqual([
    'web',
    'Ready,SchedulingDisabled',
    'worker',
    '5m',
    'v1.33.0',
    '192.168.1.10',
    '<none>',
    '<unknown>',
    '<unknown>',
    '<unknown>',
  ]);
  const deployment = { spec: { replicas: 3, selector: { matchLabels: { a: 'b' } } }, status: { readyReplicas: 2 } };
  expect(cells('apps.v1.Deployment', deployment)).toEqual(['web', '2/3', 0, 0, '5m', '', '', 'a=b']);
  const event = {
    involvedObject: { kind: 'Pod', name: 'p' },
    lastTimestamp: CREATED,
    reason: 'Started',
    type: 'Normal',
    message: 'm\n',
  };
  expect(cells('core.v1.Event', event).slice(0, 4)).toEqual(['5m', 'Normal', 'Started', 'pod/p']);
  const job = { spec: { completions: 3 }, status: { succeeded: 1, startTime: CREATED } };
  expect(cells('batch.v1.Job', job).slice(1, 4)).toEqual(['Running', '1/3', '5m']);
  expect(cells('networking.v1.NetworkPolicy', { spec: { podSelector: {} } })[1]).toBe('<none>');
});

describe('tables', () => {
  test('rows carry metadata unless told otherwise', () => {
    const object = { metadata, data: { a: 'b' } };
    const options = { listMeta: { resourceVersion: '7' }, nowMs: NOW_MS };
    const table = tableOf(printerOf('core.v1.ConfigMap'), [object], options);
    expect(table).toMatchObject({
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      metadata: { resourceVersion: '7' },
      rows: [{ cells: ['web', 1, '5m'], object: { kind: 'PartialObjectMetadata', metadata } }],
    });
    expect(tableOf(printerOf('core.v1.ConfigMap'), [object], { ...options, includeObject: 'None' }).rows[0]).toEqual({
      cells: ['web', 1, '5m'],
    });
  });

  test('custom resources by their columns', () => {
    const printer = printerOfCustomResource([
      { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
      { name: 'Size', type: 'integer', jsonPath: '.spec.size', priority: 1 },
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    ]);
    const object = { metadata, spec: { size: 3 }, status: { conditions: [{ type: 'Ready', status: 'True' }] } };
    expect(printer.cells(object, NOW_MS)).toEqual(['web', 'True', 3, '5m']);
    expect(printer.columns.map(({ name, priority }) => [name, priority])).toEqual([
      ['Name', 0],
      ['Ready', 0],
      ['Size', 1],
      ['Age', 0],
    ]);
    expect(printerOfCustomResource(undefined).cells({ metadata }, NOW_MS)).toEqual(['web', '5m']);
  });

  test.each([
    ['.a.b', ['x']],
    ['{.a.b}', ['x']],
    ['.list[1]', [2]],
    ['.list[*]', [1, 2]],
    [".labels['a.b/c']", ['y']],
    ['.labels.a\\.b/c', ['y']],
    ['.missing.x', []],
    ['nonsense', []],
  ])('JSON path %s', (path, values) => {
    expect(readJsonPath({ a: { b: 'x' }, list: [1, 2], labels: { 'a.b/c': 'y' } }, path)).toEqual(values);
  });
});
