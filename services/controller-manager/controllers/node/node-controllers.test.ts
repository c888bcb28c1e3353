import type { Node, Taint, Toleration } from 'kubernetes-types/core/v1.js';
import { describe, expect, it } from 'vitest';
import type { Live } from '../../../../shared/api/live.ts';
import type { Action } from '../../action.ts';
import { at, NOW_MS, node, pod, summary } from '../../objects.testkit.ts';
import { type Disruption, disruptions, zoneOf } from './disruption.ts';
import { reconcileNodeIpam } from './node-ipam.ts';
import { reconcileNodeLifecycle } from './node-lifecycle.ts';
import { reconcilePodGc } from './pod-gc.ts';
import { evictionDelayMs, reconcileTaintEviction } from './taint-eviction.ts';

const GRACE_MS = 4000;
const lifecycle = (
  of: Live<Node>,
  silentMs: number,
  pods: ReturnType<typeof pod>[] = [],
  disruption: Disruption = 'none',
) =>
  reconcileNodeLifecycle({ node: of, pods, lastHeartbeatMs: NOW_MS - silentMs, graceMs: GRACE_MS, disruption }, NOW_MS);

function taintsOf(actions: readonly Action[]): string[] | null | undefined {
  const patch = actions.find((action) => action.kind === 'patch');
  if (patch?.kind !== 'patch') return undefined;
  const { taints } = (patch.body as { spec: { taints: Taint[] | null } }).spec;
  return taints === null ? null : taints.map(({ key, effect }) => `${key}:${effect}`);
}

const UNREACHABLE = ['node.kubernetes.io/unreachable:NoSchedule', 'node.kubernetes.io/unreachable:NoExecute'];
const asTaints = (texts: string[]): Taint[] =>
  texts.map((text) => ({ key: text.split(':')[0]!, effect: text.split(':')[1]! }));

describe('node lifecycle', () => {
  it('leaves a node alone that renews its lease, and looks again when the grace period ends', () => {
    const outcome = lifecycle(node('n1'), 1000);
    expect(outcome.actions).toEqual([]);
    expect(outcome.requeueAfterMs).toBe(3001);
  });

  it('turns a silent node Unknown, taints it and marks its pods not ready', () => {
    const { actions } = lifecycle(node('n1'), 5000, [pod('a'), pod('b', { ready: false })]);
    expect(summary(actions)).toEqual([
      'event NodeNotReady',
      'update-status nodes n1',
      'patch nodes n1',
      'update-status pods a',
      'event NodeNotReady',
    ]);
    expect(actions.find((action) => action.kind === 'update-status')).toMatchObject({
      object: {
        status: {
          conditions: expect.arrayContaining([
            expect.objectContaining({
              type: 'Ready',
              status: 'Unknown',
              reason: 'NodeStatusUnknown',
              message: 'Kubelet stopped posting node status.',
              lastTransitionTime: at(0),
            }),
          ]),
        },
      },
    });
    expect(taintsOf(actions)).toEqual(UNREACHABLE);
  });

  it.each([
    ['ready again', node('n1', { taints: asTaints(UNREACHABLE) }), null],
    [
      'not ready',
      node('n1', { ready: 'False' }),
      ['node.kubernetes.io/not-ready:NoSchedule', 'node.kubernetes.io/not-ready:NoExecute'],
    ],
    ['new', node('n1', { ready: 'none' }), ['node.kubernetes.io/not-ready:NoSchedule']],
    ['cordoned', node('n1', { unschedulable: true }), ['node.kubernetes.io/unschedulable:NoSchedule']],
    ['uncordoned', node('n1', { taints: asTaints(['node.kubernetes.io/unschedulable:NoSchedule']) }), null],
    ['tainted by its user', node('n1', { taints: [{ key: 'gpu', effect: 'NoSchedule' }] }), undefined],
  ])('taints a node that is %s', (_, of, expected) => {
    expect(taintsOf(lifecycle(of, 0).actions)).toEqual(expected);
  });

  it.each([
    ['no other node is ready', 'all', [], [UNREACHABLE[0]]],
    ['no other node is ready any more', 'all', UNREACHABLE, [UNREACHABLE[0]]],
    ['most of its zone is not ready', 'most', [], [UNREACHABLE[0]]],
    ['most of its zone has become not ready', 'most', UNREACHABLE, undefined],
    ['others are ready again', 'none', [UNREACHABLE[0]!], UNREACHABLE],
  ] as const)('evicts or not where %s', (_, disruption, before, expected) => {
    const lost = node('n1', { ready: 'Unknown', taints: asTaints([...before]) });
    expect(taintsOf(lifecycle(lost, 5000, [], disruption).actions)).toEqual(expected);
  });
});

describe('disruption', () => {
  it.each([
    ['++', '++', 'none', 'none'],
    ['--', '--', 'all', 'all'],
    ['-', '', 'all', undefined],
    ['--', '+', 'none', 'none'],
    ['+--', '+', 'none', 'none'],
    ['++---', '+', 'most', 'none'],
    ['+++---', '-', 'none', 'none'],
    [`+${'-'.repeat(49)}`, '', 'most', undefined],
    [`+${'-'.repeat(50)}`, '', 'none', undefined],
  ])('of a zone %s and a zone %s', (a, b, ofA, ofB) => {
    const health = (zone: string, nodes: string) => [...nodes].map((sign) => ({ zone, healthy: sign === '+' }));
    const found = disruptions([...health('a', a), ...health('b', b)]);
    expect([found.get('a'), found.get('b')]).toEqual([ofA, ofB]);
  });

  it('tells zones of one name apart by their region', () => {
    const labels = (region: string) => ({
      'topology.kubernetes.io/region': region,
      'topology.kubernetes.io/zone': 'a',
    });
    const inRegion = (region: string): Live<Node> => ({
      ...node('n'),
      metadata: { ...node('n').metadata, labels: labels(region) },
    });
    expect(zoneOf(inRegion('eu'))).not.toBe(zoneOf(inRegion('us')));
    expect(zoneOf(node('n'))).toBe('');
  });
});

describe('taint eviction', () => {
  const taint: Taint = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: at(-10) };
  const tolerate = (tolerationSeconds?: number): Toleration => ({
    key: taint.key,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds,
  });
  it.each([
    ['untolerated', [], 0],
    ['tolerated for ever', [tolerate()], undefined],
    ['tolerated for a while', [tolerate(30)], 20_000],
    ['tolerated for a while that is over', [tolerate(5)], 0],
    ['the shortest counts', [tolerate(30), tolerate(12)], 2000],
    ['everything tolerated', [{ operator: 'Exists' }], undefined],
    ['another effect tolerated', [{ ...tolerate(), effect: 'NoSchedule' }], 0],
  ] as const)('%s', (_, tolerations, expected) => {
    expect(evictionDelayMs([taint], tolerations, NOW_MS)).toBe(expected);
  });

  it('deletes gracefully, with the reason in the status and an event', () => {
    const lost = node('n1', { taints: [taint] });
    expect(summary(reconcileTaintEviction({ pod: pod('a'), node: lost }, NOW_MS).actions)).toEqual([
      'event TaintManagerEviction',
      'update-status pods a',
      'delete pods a',
    ]);
    expect(reconcileTaintEviction({ pod: pod('a', { terminating: true }), node: lost }, NOW_MS).actions).toEqual([]);
    expect(reconcileTaintEviction({ pod: pod('a'), node: node('n1') }, NOW_MS).actions).toEqual([]);
  });
});

describe('node IPAM', () => {
  const blocks = (nodes: Live<Node>[], clusterCidr = '10.244.0.0/16') =>
    reconcileNodeIpam({ nodes, clusterCidr, nodeMaskSize: 24 }).actions.map((action) =>
      action.kind === 'patch'
        ? [action.name, (action.body as { spec: { podCIDR: string } }).spec.podCIDR]
        : [summary([action])[0]],
    );
  it.each([
    [
      'by the number in its name',
      [node('worker-2'), node('worker-1')],
      [
        ['worker-1', '10.244.1.0/24'],
        ['worker-2', '10.244.2.0/24'],
      ],
    ],
    [
      'the next free one when that is taken',
      [node('worker-1'), node('other', { podCidr: '10.244.1.0/24' })],
      [['worker-1', '10.244.2.0/24']],
    ],
    ['nothing new for one that has a block', [node('worker-1', { podCidr: '10.244.7.0/24' })], []],
    [
      'two blocks for two at once',
      [node('a'), node('b')],
      [
        ['a', '10.244.1.0/24'],
        ['b', '10.244.2.0/24'],
      ],
    ],
  ])('gives a node %s', (_, nodes, expected) => {
    expect(blocks(nodes)).toEqual(expected);
  });
  it('gives a node of a dual-stack cluster the same place in both', () => {
    const state = { clusterCidr: '10.244.0.0/16', clusterCidrIpv6: 'fd00:10:244::/56', nodeMaskSize: 24 };
    const [action] = reconcileNodeIpam({ nodes: [node('worker-3')], ...state }).actions;
    expect(action).toMatchObject({
      body: { spec: { podCIDR: '10.244.3.0/24', podCIDRs: ['10.244.3.0/24', 'fd00:10:244:3::/64'] } },
    });
  });
  it('says when no block is left', () => {
    expect(blocks([node('a'), node('b'), node('c')], '10.244.0.0/23')).toEqual([
      ['a', '10.244.1.0/24'],
      ['b', '10.244.0.0/24'],
      ['event CIDRNotAvailable'],
    ]);
  });
});

describe('pod garbage collection', () => {
  const gc = (pods: ReturnType<typeof pod>[], missingForMs = 0, finishedLimit = 10) =>
    reconcilePodGc(
      {
        pods,
        nodeNames: new Set(['worker-1']),
        missingSinceMs: new Map([['gone', NOW_MS - missingForMs]]),
        quarantineMs: 4000,
        finishedLimit,
      },
      NOW_MS,
    );
  it('removes pods of a node that is gone, after a while', () => {
    expect(gc([pod('a', { node: 'gone' })], 1000)).toEqual({ actions: [], requeueAfterMs: 4000 });
    expect(summary(gc([pod('a', { node: 'gone' }), pod('b')], 5000).actions)).toEqual([
      'update-status pods a',
      'delete pods a',
    ]);
  });
  it('removes what is deleted before it was bound, and the oldest of too many finished pods', () => {
    expect(summary(gc([pod('a', { node: '', terminating: true })]).actions)).toEqual([
      'update-status pods a',
      'delete pods a',
    ]);
    const finished = [
      pod('new', { phase: 'Succeeded', createdAt: -1 }),
      pod('old', { phase: 'Failed', createdAt: -9 }),
    ];
    expect(summary(gc(finished, 0, 1).actions)).toEqual(['delete pods old']);
  });
});
