import type { EndpointSubset, Endpoints, ServiceSpec } from 'kubernetes-types/core/v1.js';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import { describe, expect, it } from 'vitest';
import type { Live, LiveMeta } from '../../../../shared/api/live.ts';
import { meta, service, summary } from '../../objects.testkit.ts';
import { isMirrorSlice, reconcileMirroring } from './mirrored-slices.ts';

const byHand = (spec: Partial<ServiceSpec> = {}) => service({ selector: undefined, ...spec });
const subset: EndpointSubset = { addresses: [{ ip: '192.0.2.7' }], ports: [{ port: 9376 }] };

function endpoints(subsets: EndpointSubset[], more: Partial<LiveMeta> = {}): Live<Endpoints> {
  return { metadata: meta('web', more), subsets };
}

/** The slices after the actions, as the API would have them. */
function created(of: Live<Endpoints>): Live<EndpointSlice>[] {
  const { actions } = reconcileMirroring({ endpoints: of, service: byHand(), slices: [] });
  return actions.map((action, i) => {
    const object = (action as { object: EndpointSlice }).object;
    const { labels, annotations } = object.metadata ?? {};
    return { ...object, metadata: meta(`web-${i}`, { labels, ...(annotations === undefined ? {} : { annotations }) }) };
  });
}

describe('mirrored EndpointSlices', () => {
  const one = endpoints([subset]);

  it('has one for each set of ports and family', () => {
    const slices = created(
      endpoints([
        {
          addresses: [{ ip: '192.0.2.7' }, { ip: 'fd00::7' }],
          notReadyAddresses: [{ ip: '192.0.2.8' }],
          ports: [{ port: 80 }],
        },
        { addresses: [{ ip: '192.0.2.9', hostname: 'nine' }], ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] },
      ]),
    );
    expect(slices.map(({ addressType, endpoints: list, ports }) => ({ addressType, list, ports }))).toEqual([
      {
        addressType: 'IPv4',
        list: [
          { addresses: ['192.0.2.7'], conditions: { ready: true } },
          { addresses: ['192.0.2.8'], conditions: { ready: false } },
        ],
        ports: [{ name: '', port: 80, protocol: 'TCP' }],
      },
      {
        addressType: 'IPv6',
        list: [{ addresses: ['fd00::7'], conditions: { ready: true } }],
        ports: [{ name: '', port: 80, protocol: 'TCP' }],
      },
      {
        addressType: 'IPv4',
        list: [{ addresses: ['192.0.2.9'], conditions: { ready: true }, hostname: 'nine' }],
        ports: [{ name: 'dns', port: 53, protocol: 'UDP' }],
      },
    ]);
    expect(slices.every(isMirrorSlice)).toBe(true);
    expect(slices[0]?.metadata.labels).toMatchObject({ 'kubernetes.io/service-name': 'web' });
  });

  it.each([
    ['a Service without a selector', one, byHand(), ['create endpointslices']],
    ['not of a Service with one', one, service(), []],
    ['not without a Service', one, undefined, []],
    ['not of an ExternalName', one, byHand({ type: 'ExternalName' }), []],
    [
      'not what says so',
      endpoints([subset], { labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } }),
      byHand(),
      [],
    ],
    [
      'not a leader election',
      endpoints([subset], { annotations: { 'control-plane.alpha.kubernetes.io/leader': '{}' } }),
      byHand(),
      [],
    ],
    ['nothing of nothing', endpoints([]), byHand(), []],
  ])('%s', (_, of, owner, expected) => {
    expect(summary(reconcileMirroring({ endpoints: of, service: owner, slices: [] }).actions)).toEqual(expected);
  });

  const actionsOn = (of: Live<Endpoints>, owner = byHand()): string[] =>
    summary(reconcileMirroring({ endpoints: of, service: owner, slices: created(one) }).actions);

  it('follows a change, and leaves alone what is true', () => {
    expect(actionsOn(one)).toEqual([]);
    expect(actionsOn(endpoints([{ ...subset, addresses: [{ ip: '192.0.2.8' }] }]))).toEqual([
      'update endpointslices web-0',
    ]);
    expect(actionsOn(endpoints([subset], { annotations: { note: 'x' } }))).toEqual(['update endpointslices web-0']);
  });

  it('goes when the addresses go, or the Service selects pods', () => {
    expect(actionsOn(endpoints([]))).toEqual(['delete endpointslices web-0']);
    expect(actionsOn(one, service())).toEqual(['delete endpointslices web-0']);
  });
});
