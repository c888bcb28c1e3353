import type { ControllerRevision, DaemonSet } from 'kubernetes-types/apps/v1.js';
import { describe, expect, it } from 'vitest';
import type { Live } from '../../../../shared/api/live.ts';
import { DAEMONSETS, PODS } from '../../../../shared/api/resources.ts';
import { meta, NOW_MS, node, pod, summary, TEMPLATE, withImage } from '../../objects.testkit.ts';
import { controllerReference } from '../../owner.ts';
import { templateHash } from '../../template-hash.ts';
import { REVISION_HASH, reconcileDaemonSet } from './daemonset.ts';

function daemonSet(template = TEMPLATE, spec: Partial<DaemonSet['spec']> = {}): Live<DaemonSet> {
  return { metadata: meta('proxy'), spec: { selector: { matchLabels: { app: 'web' } }, template, ...spec } };
}

const set = daemonSet();
const hash = templateHash(TEMPLATE);
const daemonPod = (name: string, nodeName: string, facts: Parameters<typeof pod>[1] = {}) =>
  pod(name, { owner: set, node: nodeName, labels: { app: 'web', [REVISION_HASH]: hash }, ...facts });
/** The template is recorded, unless a test is about that. */
const recorded = (daemons: Live<DaemonSet>, revision = 1): Live<ControllerRevision> => ({
  metadata: meta(`proxy-${templateHash(daemons.spec.template)}`, {
    ownerReferences: [controllerReference(DAEMONSETS, daemons)],
  }),
  data: { spec: { template: daemons.spec.template } },
  revision,
});
type State = Parameters<typeof reconcileDaemonSet>[0];
const writes = (state: Omit<State, 'revisions'> & Partial<State>) =>
  summary(reconcileDaemonSet({ revisions: [recorded(state.daemonSet)], ...state }, NOW_MS).actions).filter(
    (text) => !text.startsWith('update-status'),
  );

const tainted = (key: string, effect: string) => node('n2', { taints: [{ key, effect }] });

describe('DaemonSet', () => {
  it.each([
    ['one pod on every node', set, [node('n1'), node('n2')], [], ['create pods', 'create pods']],
    ['nothing when all are there', set, [node('n1')], [daemonPod('a', 'n1')], []],
    ['not on a node with a foreign taint', set, [node('n1'), tainted('x', 'NoSchedule')], [daemonPod('a', 'n1')], []],
    ['stays on a node with a NoSchedule taint', set, [tainted('x', 'NoSchedule')], [daemonPod('a', 'n2')], []],
    [
      'leaves a node with a NoExecute taint',
      set,
      [tainted('x', 'NoExecute')],
      [daemonPod('a', 'n2')],
      ['delete pods a'],
    ],
    [
      'tolerates a lost node',
      set,
      [tainted('node.kubernetes.io/unreachable', 'NoExecute')],
      [daemonPod('a', 'n2')],
      [],
    ],
    [
      'tolerates a cordoned node',
      set,
      [tainted('node.kubernetes.io/unschedulable', 'NoSchedule')],
      [],
      ['create pods'],
    ],
    ['waits for a terminating pod', set, [node('n1')], [daemonPod('a', 'n1', { terminating: true })], []],
    ['replaces a failed pod', set, [node('n1')], [daemonPod('a', 'n1', { phase: 'Failed' })], ['delete pods a']],
    [
      'keeps one of two',
      set,
      [node('n1')],
      [daemonPod('a', 'n1', { createdAt: -9 }), daemonPod('b', 'n1', { createdAt: -5 })],
      ['delete pods b'],
    ],
    [
      'removes pods of a node that is gone',
      set,
      [node('n1')],
      [daemonPod('a', 'n1'), daemonPod('b', 'n9')],
      ['delete pods b'],
    ],
    [
      'obeys the nodeSelector',
      daemonSet({ ...TEMPLATE, spec: { containers: [], nodeSelector: { disk: 'ssd' } } }),
      [node('n1'), node('n2', { labels: { disk: 'ssd' } })],
      [],
      ['create pods'],
    ],
  ])('%s', (_, daemons, nodes, pods, expected) => {
    expect(writes({ daemonSet: daemons, nodes, pods })).toEqual(expected);
  });

  it('pins its pods to their node and lets them tolerate what happens to nodes', () => {
    const { actions } = reconcileDaemonSet({ daemonSet: set, nodes: [node('n1')], pods: [], revisions: [] }, NOW_MS);
    const create = actions.find((action) => action.kind === 'create' && action.resource === PODS);
    expect(create?.kind === 'create' && create.object).toMatchObject({
      metadata: { generateName: 'proxy-', labels: { [REVISION_HASH]: hash } },
      spec: {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }] }],
            },
          },
        },
        tolerations: expect.arrayContaining([
          { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
        ]),
      },
    });
  });

  it('updates one node at a time, broken ones at once', () => {
    const nodes = [node('n1'), node('n2'), node('n3')];
    const pods = ['n1', 'n2', 'n3'].map((name) => daemonPod(`p-${name}`, name));
    const changed = daemonSet(withImage('nginx:2'));
    expect(writes({ daemonSet: changed, nodes, pods })).toEqual(['delete pods p-n1']);
    const broken = [pods[0]!, daemonPod('p-n2', 'n2', { ready: false }), daemonPod('p-n3', 'n3', { ready: false })];
    expect(writes({ daemonSet: changed, nodes, pods: broken })).toEqual(['delete pods p-n2', 'delete pods p-n3']);
    expect(
      writes({ daemonSet: daemonSet(withImage('nginx:2'), { updateStrategy: { type: 'OnDelete' } }), nodes, pods }),
    ).toEqual([]);
  });

  it('records its templates for `kubectl rollout history` and `undo`', () => {
    const changed = daemonSet(withImage('nginx:2'), { revisionHistoryLimit: 0 });
    const name = recorded(changed).metadata.name;
    const nodes = [node('n1')];
    const pods = [daemonPod('a', 'n1')];
    expect(writes({ daemonSet: changed, nodes, pods, revisions: [recorded(set)] })).toEqual([
      `create controllerrevisions ${name}`,
      'delete pods a',
    ]);
    const both = [recorded(set), recorded(changed, 2)];
    expect(writes({ daemonSet: set, nodes, pods, revisions: both })).toEqual([
      `patch controllerrevisions proxy-${hash}`,
    ]);
    const newer = [
      daemonPod('b', 'n1', { labels: { app: 'web', [REVISION_HASH]: templateHash(changed.spec.template) } }),
    ];
    expect(writes({ daemonSet: changed, nodes, pods: newer, revisions: both })).toEqual([
      `delete controllerrevisions proxy-${hash}`,
    ]);
  });

  it('counts for its status', () => {
    const { actions } = reconcileDaemonSet(
      {
        daemonSet: set,
        nodes: [node('n1'), node('n2'), node('n3', { taints: [{ key: 'x', effect: 'NoSchedule' }] })],
        pods: [daemonPod('a', 'n1'), daemonPod('b', 'n2', { ready: false }), daemonPod('c', 'n3')],
        revisions: [],
      },
      NOW_MS,
    );
    const update = actions.find((action) => action.kind === 'update-status');
    expect(update?.kind === 'update-status' && (update.object as DaemonSet).status).toEqual({
      currentNumberScheduled: 2,
      desiredNumberScheduled: 2,
      numberMisscheduled: 1,
      numberReady: 1,
      numberAvailable: 1,
      numberUnavailable: 1,
      updatedNumberScheduled: 2,
      observedGeneration: 1,
    });
  });
});
