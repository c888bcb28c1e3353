import fc from 'fast-check';
import type { Endpoint } from 'kubernetes-types/discovery/v1.js';
import { describe, expect, it } from 'vitest';
import { meta, node, service } from '../../objects.testkit.ts';
import { hintEvents } from './hint-events.ts';
import {
  isTopologyAware,
  NODES_SAY_TOO_LITTLE,
  type SliceContent,
  topologyAwareHints,
  zoneShares,
} from './topology-aware-hints.ts';

const inZone = (name: string, zone: string, cpu = '4', more: Parameters<typeof node>[1] = {}) => {
  const one = node(name, {
    ...more,
    labels: zone === '' ? {} : { 'topology.kubernetes.io/zone': zone, ...more.labels },
  });
  return { ...one, status: { ...one.status, allocatable: { cpu } } };
};

/** `a a b`: ready endpoints of these zones; `!b`: one that is not ready. */
function endpointsOf(text: string): Endpoint[] {
  return text
    .split(' ')
    .filter(Boolean)
    .map((zone, index) => ({
      addresses: [`10.244.1.${index + 1}`],
      conditions: { ready: !zone.startsWith('!') },
      zone: zone.replace('!', ''),
    }));
}

function hintsOf(outcome: ReturnType<typeof topologyAwareHints>): string {
  if ('refusal' in outcome) return outcome.refusal;
  return outcome.slices
    .map((slice) => slice.map(({ hints }) => hints?.forZones?.[0]?.name ?? '-').join(' '))
    .join(' | ');
}

const fresh = (text: string): SliceContent => ({ endpoints: endpointsOf(text), stored: [] });

describe('shares of zones', () => {
  it('follow the CPU of ready nodes that are not the control plane', () => {
    const nodes = [
      inZone('n1', 'a', '2'),
      inZone('n2', 'b', '4'),
      inZone('n3', 'b', '2'),
      inZone('n4', 'c', '8', { ready: 'False' }),
      inZone('n5', 'c', '8', { labels: { 'node-role.kubernetes.io/control-plane': '' } }),
    ];
    expect(zoneShares(nodes)).toEqual(
      new Map([
        ['a', 0.25],
        ['b', 0.75],
      ]),
    );
  });

  it.each([
    ['one zone', [inZone('n1', 'a'), inZone('n2', 'a')]],
    ['a node without a zone', [inZone('n1', 'a'), inZone('n2', 'b'), inZone('n3', '')]],
    ['a node without CPU', [inZone('n1', 'a'), inZone('n2', 'b', '0')]],
  ])('are unknown with %s', (_, nodes) => {
    expect(zoneShares(nodes)).toBeUndefined();
  });
});

describe('topology aware hints', () => {
  const equal = (...zones: string[]) => new Map(zones.map((zone) => [zone, 1 / zones.length]));

  it.each([
    ['every zone has its own', 'a a b b', equal('a', 'b'), 'a a b b'],
    ['a zone lends what another lacks', 'a a a b', equal('a', 'b'), 'b a a b'],
    ['a zone without endpoints is lent some', 'a a a a', equal('a', 'b'), 'b b a a'],
    [
      'shares follow CPU',
      'a a a b b b',
      new Map([
        ['a', 1 / 3],
        ['b', 2 / 3],
      ]),
      'b a a b b b',
    ],
    ['those that are not ready have none', 'a a b b !b', equal('a', 'b'), 'a a b b -'],
    ['an endpoint of a zone without nodes keeps it', 'a a b b z', equal('a', 'b'), '(5 endpoints, 2 zones)'],
    [
      'fewer endpoints than zones',
      'a b',
      equal('a', 'b', 'c'),
      'Insufficient number of endpoints (2 endpoints, 3 zones)',
    ],
    [
      'shares that would overload',
      'a a b',
      equal('a', 'b'),
      'Unable to allocate minimum required endpoints to each zone without exceeding overload threshold (3 endpoints, 2 zones)',
    ],
    ['nodes that say too little', 'a b', undefined, NODES_SAY_TOO_LITTLE],
  ])('%s', (_, endpoints, shares, hints) => {
    expect(hintsOf(topologyAwareHints([fresh(endpoints)], shares))).toContain(hints);
  });

  it('are refused where an endpoint has no zone', () => {
    const endpoints = endpointsOf('a a b b').map((endpoint, index) =>
      index === 3 ? { ...endpoint, zone: undefined } : endpoint,
    );
    expect(topologyAwareHints([{ endpoints, stored: [] }], equal('a', 'b'))).toEqual({
      refusal: 'One or more endpoints do not have a zone specified',
    });
  });

  it('stay where zones share an odd endpoint, which would go to and fro for ever', () => {
    expect(hintsOf(topologyAwareHints([fresh('a a a a b b b')], equal('a', 'b')))).toBe('a a a a b b b');
  });

  it('stay in slices that do not change', () => {
    const stored = endpointsOf('a a').map((endpoint, index) => ({
      ...endpoint,
      hints: { forZones: [{ name: index === 0 ? 'b' : 'a' }] },
    }));
    const kept = { endpoints: endpointsOf('a a'), stored };
    expect(hintsOf(topologyAwareHints([kept, fresh('a b')], equal('a', 'b')))).toBe('b a | a b');
    // Two for b in the first slice and one in the second are more than b may have of four.
    const crowded = { ...kept, stored: stored.map((one) => ({ ...one, hints: { forZones: [{ name: 'b' }] } })) };
    expect(hintsOf(topologyAwareHints([crowded, fresh('b b')], equal('a', 'b')))).toBe('b b | a a');
  });

  it('move zones towards their shares and never past them, and settle', () => {
    const zone = fc.constantFrom('a', 'b', 'c');
    const cpu = fc.integer({ min: 1, max: 9 });
    fc.assert(
      fc.property(fc.array(zone, { minLength: 1, maxLength: 40 }), fc.tuple(cpu, cpu, cpu), (zones, cpus) => {
        const total = cpus.reduce((sum, one) => sum + one, 0);
        const shares = new Map(['a', 'b', 'c'].map((name, index) => [name, (cpus[index] as number) / total]));
        const endpoints = endpointsOf(zones.join(' '));
        const outcome = topologyAwareHints([{ endpoints, stored: [] }], shares);
        if ('refusal' in outcome) return;
        const [hinted = []] = outcome.slices;
        for (const [name, share] of shares) {
          const own = zones.filter((one) => one === name).length;
          const count = hinted.filter(({ hints }) => hints?.forZones?.[0]?.name === name).length;
          const fair = share * zones.length;
          const desired = Math.max(fair, Math.ceil(fair / 1.2));
          expect(count).toBeGreaterThanOrEqual(Math.min(own, desired - 0.5));
          expect(count).toBeLessThanOrEqual(Math.max(own, desired + 0.5));
        }
        expect(hintsOf(topologyAwareHints([{ endpoints, stored: hinted }], shares))).toBe(hintsOf(outcome));
      }),
    );
  });
});

it.each([
  [{ 'service.kubernetes.io/topology-mode': 'Auto' }, true],
  [{ 'service.kubernetes.io/topology-aware-hints': 'auto' }, true],
  [{ 'service.kubernetes.io/topology-mode': 'Auto', 'service.kubernetes.io/topology-aware-hints': 'Disabled' }, false],
  [{ 'service.kubernetes.io/topology-mode': 'PreferZone' }, false],
  [undefined, false],
])('annotations %j ask for hints: %j', (annotations, aware) => {
  expect(isTopologyAware(service({}, { ...meta('web'), ...(annotations === undefined ? {} : { annotations }) }))).toBe(
    aware,
  );
});

describe('events about hints', () => {
  const enabled = { enabled: true } as const;
  const refused = { enabled: false, refusal: NODES_SAY_TOO_LITTLE } as const;
  it.each([
    [undefined, enabled, ['Normal TopologyAwareHintsEnabled Topology Aware Hints has been enabled, addressType: IPv4']],
    [enabled, enabled, []],
    [enabled, refused, [`Warning TopologyAwareHintsDisabled ${NODES_SAY_TOO_LITTLE}, addressType: IPv4`]],
    [refused, refused, []],
    [
      enabled,
      undefined,
      ['Warning TopologyAwareHintsDisabled Topology Aware Hints has been disabled, addressType: IPv4'],
    ],
    [refused, undefined, []],
  ])('from %j to %j: %j', (before, after, events) => {
    const states = (state: typeof enabled | typeof refused | undefined) =>
      new Map(state === undefined ? [] : [['IPv4' as const, state]]);
    const said = hintEvents(service(), states(before), states(after)).map((action) =>
      action.kind === 'event' ? `${action.type} ${action.reason} ${action.message}` : action.kind,
    );
    expect(said).toEqual(events);
  });
});
