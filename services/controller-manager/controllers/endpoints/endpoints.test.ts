import type { Endpoints } from 'kubernetes-types/core/v1.js';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import { describe, expect, it } from 'vitest';
import type { Live } from '../../../../shared/api/live.ts';
import type { Action } from '../../action.ts';
import { at, meta, NOW_MS, node, pod, service, summary } from '../../objects.testkit.ts';
import { reconcileEndpoints } from './endpoints.ts';
import { CONTROLLER, MANAGED_BY, reconcileEndpointSlices, SERVICE_NAME } from './endpointslice.ts';

type SliceState = Parameters<typeof reconcileEndpointSlices>[0];

const zones = (name: string) => node(name, { labels: { 'topology.kubernetes.io/zone': `zone-${name}` } });

function reconcile(state: Partial<SliceState>): readonly Action[] {
  const defaults = { service: service(), pods: [], slices: [], node: zones, zoneShares: () => undefined };
  return reconcileEndpointSlices({ ...defaults, ...state }).actions;
}

function written(actions: readonly Action[]): EndpointSlice[] {
  return actions.flatMap((action) =>
    action.kind === 'create' || action.kind === 'update' ? [action.object as EndpointSlice] : [],
  );
}

/** As the API server would store what was created. */
function stored(slice: EndpointSlice, name: string): Live<EndpointSlice> {
  const { generateName: _, ...metadata } = slice.metadata ?? {};
  return { ...slice, metadata: { ...meta(name), ...metadata, name } } as Live<EndpointSlice>;
}

describe('EndpointSlice', () => {
  it('describes a ready pod', () => {
    const [slice] = written(reconcile({ pods: [pod('a', { ip: '10.244.1.5', node: 'worker-2' })] }));
    expect(slice).toEqual({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        generateName: 'web-',
        namespace: 'default',
        labels: { [SERVICE_NAME]: 'web', [MANAGED_BY]: CONTROLLER },
        annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': at(-60) },
        ownerReferences: [expect.objectContaining({ kind: 'Service', name: 'web', controller: true })],
      },
      addressType: 'IPv4',
      ports: [{ name: '', port: 8080, protocol: 'TCP' }],
      endpoints: [
        {
          addresses: ['10.244.1.5'],
          conditions: { ready: true, serving: true, terminating: false },
          nodeName: 'worker-2',
          zone: 'zone-worker-2',
          targetRef: { kind: 'Pod', namespace: 'default', name: 'a', uid: 'uid-a' },
        },
      ],
    });
  });

  it.each([
    ['PreferSameZone', [{ forZones: [{ name: 'zone-worker-2' }] }, undefined]],
    ['PreferClose', [{ forZones: [{ name: 'zone-worker-2' }] }, undefined]],
    ['PreferSameNode', [{ forNodes: [{ name: 'worker-2' }], forZones: [{ name: 'zone-worker-2' }] }, undefined]],
    [undefined, [undefined, undefined]],
  ])('trafficDistribution %s gives ready endpoints their hints', (trafficDistribution, hints) => {
    const pods = [
      pod('a', { ip: '10.244.1.5', node: 'worker-2' }),
      pod('b', { ip: '10.244.1.6', node: 'worker-2', ready: false }),
    ];
    const [slice] = written(reconcile({ service: service({ trafficDistribution }), pods }));
    expect(slice?.endpoints.map((endpoint) => endpoint.hints)).toEqual(hints);
  });

  it.each([
    ['ready', {}, {}, { ready: true, serving: true, terminating: false }],
    ['not ready', { ready: false }, {}, { ready: false, serving: false, terminating: false }],
    ['terminating and serving', { terminating: true }, {}, { ready: false, serving: true, terminating: true }],
    ['terminating', { terminating: true, ready: false }, {}, { ready: false, serving: false, terminating: true }],
    [
      'published although not ready',
      { ready: false },
      { publishNotReadyAddresses: true },
      { ready: true, serving: false, terminating: false },
    ],
  ])('conditions of a pod that is %s', (_, facts, spec, conditions) => {
    const [slice] = written(reconcile({ service: service(spec), pods: [pod('a', facts)] }));
    expect(slice?.endpoints[0]?.conditions).toEqual(conditions);
  });

  it.each([
    ['finished pods', [pod('a', { phase: 'Succeeded' })]],
    ['pods without an address', [pod('a', { ip: '' })]],
    ['pods without a node', [pod('a', { node: '' })]],
    ['pods of other labels', [pod('a', { labels: { app: 'db' } })]],
  ])('leaves out %s and keeps one empty slice', (_, pods) => {
    const slices = written(reconcile({ pods }));
    expect(slices.map(({ endpoints }) => endpoints)).toEqual([[]]);
  });

  it.each([
    ['ExternalName', service({ type: 'ExternalName' })],
    ['no selector', service({ selector: undefined })],
    ['being deleted', service({}, { deletionTimestamp: at(0) })],
  ])('writes nothing for a Service that is %s', (_, of) => {
    expect(reconcile({ service: of, pods: [pod('a')] })).toEqual([]);
  });

  it('has slices of both families, and lets those of one go that the Service lost', () => {
    const dual = service({ ipFamilies: ['IPv4', 'IPv6'] });
    const two = pod('a', { ip: '10.244.1.5' });
    const pods = [{ ...two, status: { ...two.status, podIPs: [{ ip: '10.244.1.5' }, { ip: 'fd00:10:244:1::5' }] } }];
    const slices = written(reconcile({ service: dual, pods })).map((slice, i) => stored(slice, `web-${i}`));
    expect(slices.map(({ addressType, endpoints }) => [addressType, endpoints[0]?.addresses])).toEqual([
      ['IPv4', ['10.244.1.5']],
      ['IPv6', ['fd00:10:244:1::5']],
    ]);
    expect(summary(reconcile({ pods, slices }))).toEqual(['delete endpointslices web-1']);
  });

  it('changes only what differs', () => {
    const pods = [pod('a', { ip: '10.244.1.5' }), pod('b', { ip: '10.244.1.6' })];
    const slice = stored(written(reconcile({ pods }))[0]!, 'web-x');
    expect(reconcile({ pods, slices: [slice] })).toEqual([]);
    const changed = [pods[0]!, pod('b', { ip: '10.244.1.6', ready: false, readySince: -3 })];
    const [update] = reconcile({ pods: changed, slices: [slice] });
    expect(update).toMatchObject({
      kind: 'update',
      object: {
        metadata: { name: 'web-x', annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': at(-3) } },
      },
    });
    const [emptied] = written(reconcile({ pods: [], slices: [slice] }));
    expect(emptied?.endpoints).toEqual([]);
    expect(emptied?.metadata).toMatchObject({ name: 'web-x', annotations: undefined });
  });

  it('resolves named target ports pod by pod, in slices of their own', () => {
    const named = service({ ports: [{ name: 'http', port: 80, targetPort: 'web' }] });
    const withPort = (name: string, ip: string, containerPort: number) =>
      pod(name, { ip, spec: { containers: [{ name: 'c', ports: [{ name: 'web', containerPort }] }] } });
    const slices = written(
      reconcile({ service: named, pods: [withPort('a', '10.0.0.1', 8080), withPort('b', '10.0.0.2', 9090)] }),
    );
    expect(slices.map(({ ports, endpoints }) => [ports?.[0]?.port, endpoints[0]?.addresses[0]])).toEqual([
      [8080, '10.0.0.1'],
      [9090, '10.0.0.2'],
    ]);
  });

  it('fills slices up to 100 endpoints, and keeps endpoints where they are', () => {
    const pods = Array.from({ length: 250 }, (_, i) => pod(`p${i}`, { ip: `10.244.${i >> 8}.${i & 255}` }));
    const slices = written(reconcile({ pods })).map((slice, i) => stored(slice, `web-${i}`));
    expect(slices.map(({ endpoints }) => endpoints.length)).toEqual([100, 100, 50]);
    const fewer = pods.filter((_, i) => i !== 5);
    expect(summary(reconcile({ pods: fewer, slices }))).toEqual(['update endpointslices web-0']);
  });

  it('marks headless Services and carries the hostname of a subdomain', () => {
    const headless = service({ clusterIP: 'None' });
    const [slice] = written(
      reconcile({ service: headless, pods: [pod('a', { spec: { hostname: 'db-0', subdomain: 'web' } })] }),
    );
    expect(slice?.metadata?.labels).toHaveProperty(['service.kubernetes.io/headless'], '');
    expect(slice?.endpoints[0]?.hostname).toBe('db-0');
  });
});

describe('Endpoints', () => {
  function endpointsOf(pods: ReturnType<typeof pod>[], of = service()): Endpoints | undefined {
    const [action] = reconcileEndpoints({ service: of, pods, endpoints: undefined }).actions;
    return action?.kind === 'create' ? (action.object as Endpoints) : undefined;
  }

  it('splits ready from not ready, sorted, and drops terminating pods', () => {
    const pods = [
      pod('b', { ip: '10.244.1.7' }),
      pod('a', { ip: '10.244.1.6' }),
      pod('c', { ip: '10.244.1.8', ready: false }),
      pod('d', { ip: '10.244.1.9', terminating: true }),
    ];
    const [subset] = endpointsOf(pods)?.subsets ?? [];
    expect(subset?.addresses?.map(({ ip }) => ip)).toEqual(['10.244.1.6', '10.244.1.7']);
    expect(subset?.notReadyAddresses?.map(({ ip }) => ip)).toEqual(['10.244.1.8']);
    expect(subset?.ports).toEqual([{ port: 8080, protocol: 'TCP' }]);
  });

  it('writes once', () => {
    const pods = [pod('a')];
    const present = endpointsOf(pods)!;
    const endpoints = { ...present, metadata: { ...meta('web'), labels: present.metadata?.labels } } as Live<Endpoints>;
    expect(reconcileEndpoints({ service: service(), pods, endpoints }).actions).toEqual([]);
    expect(NOW_MS).toBeGreaterThan(0);
  });
});
