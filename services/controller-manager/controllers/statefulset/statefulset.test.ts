import type { ControllerRevision, StatefulSet } from 'kubernetes-types/apps/v1.js';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { describe, expect, it } from 'vitest';
import type { Live } from '../../../../shared/api/live.ts';
import { STATEFULSETS } from '../../../../shared/api/resources.ts';
import { at, meta, NOW_MS, type PodFacts, pod, summary, TEMPLATE, withImage } from '../../objects.testkit.ts';
import { controllerReference } from '../../owner.ts';
import { templateHash } from '../../template-hash.ts';
import { reconcileStatefulSet, type StatefulSetState } from './statefulset.ts';

const OLD = `web-${templateHash(TEMPLATE)}`;
const NEW = `web-${templateHash(withImage('nginx:2'))}`;

function statefulSet(replicas: number, spec: Partial<StatefulSet['spec']> = {}): Live<StatefulSet> {
  return {
    metadata: meta('web'),
    spec: { replicas, serviceName: 'svc', selector: { matchLabels: { app: 'web' } }, template: TEMPLATE, ...spec },
    status: { replicas: 0, currentRevision: OLD, updateRevision: OLD },
  };
}

function revision(name: string, number: number, image?: string): Live<ControllerRevision> {
  const template = { ...(image === undefined ? TEMPLATE : withImage(image)), $patch: 'replace' };
  return {
    metadata: meta(name, { ownerReferences: [controllerReference(STATEFULSETS, statefulSet(1))] }),
    data: { spec: { template } },
    revision: number,
  };
}

const HISTORY = [revision(OLD, 1), revision(NEW, 2, 'nginx:2')];

function web(ordinal: number, facts: PodFacts & { revision?: string } = {}): Live<Pod> {
  return pod(`web-${ordinal}`, {
    labels: { app: 'web', 'controller-revision-hash': facts.revision ?? OLD },
    ...facts,
    meta: { ownerReferences: [controllerReference(STATEFULSETS, statefulSet(1))] },
  });
}

const updated = (ordinal: number, facts: PodFacts = {}): Live<Pod> => web(ordinal, { ...facts, revision: NEW });
const writes = (set: Live<StatefulSet>, pods: readonly Live<Pod>[], revisions = [HISTORY[0]!]): string[] =>
  summary(reconcileStatefulSet({ statefulSet: set, pods, revisions }, NOW_MS).actions).filter(
    (text) => !text.startsWith('update-status'),
  );

function statusAfter(state: StatefulSetState): unknown {
  const update = reconcileStatefulSet(state, NOW_MS).actions.find(({ kind }) => kind === 'update-status');
  return update?.kind === 'update-status' && (update.object as StatefulSet).status;
}

const parallel = { podManagementPolicy: 'Parallel' };

describe('StatefulSet: scaling', () => {
  it.each([
    ['the first alone', statefulSet(3), [], ['create pods web-0']],
    ['waits for an unready one', statefulSet(3), [web(0, { ready: false })], []],
    ['the next when it is ready', statefulSet(3), [web(0)], ['create pods web-1']],
    ['fills a gap before it goes on', statefulSet(3), [web(0), web(2)], ['create pods web-1']],
    ['all at once in Parallel', statefulSet(2, parallel), [], ['create pods web-0', 'create pods web-1']],
    ['waits for a terminating one', statefulSet(2), [web(0, { terminating: true })], []],
    ['replaces a failed one', statefulSet(2), [web(0, { phase: 'Failed', ready: false })], ['delete pods web-0']],
    ['down: the last first', statefulSet(1), [web(0), web(1), web(2)], ['delete pods web-2']],
    ['down: waits for the last', statefulSet(1), [web(0), web(1), web(2, { terminating: true })], []],
    ['down: waits for the rest', statefulSet(1), [web(0, { ready: false }), web(1)], []],
    [
      'down: at once in Parallel',
      statefulSet(1, parallel),
      [web(0), web(1), web(2)],
      ['delete pods web-2', 'delete pods web-1'],
    ],
    ['to nothing', statefulSet(0), [web(0)], ['delete pods web-0']],
    ['adopts its stray pod', statefulSet(1), [pod('web-0')], ['patch pods web-0', 'delete pods web-0']],
    ['lets other names alone', statefulSet(1), [pod('web-x'), web(0)], []],
    ['lets go of a relabelled pod', statefulSet(0), [web(0, { labels: { app: 'x' } })], ['patch pods web-0']],
  ])('%s', (_, set, pods, expected) => {
    expect(writes(set, pods)).toEqual(expected);
  });

  it('starts at spec.ordinals.start', () => {
    const set = statefulSet(1, { ordinals: { start: 5 } });
    expect(writes(set, [])).toEqual(['create pods web-5']);
  });

  it('leaves its pods alone while it is deleted', () => {
    const set = statefulSet(3);
    expect(writes({ ...set, metadata: { ...set.metadata, deletionTimestamp: at(0) } }, [])).toEqual([]);
  });

  it('gives pods a stable name, host name and subdomain', () => {
    const { actions } = reconcileStatefulSet({ statefulSet: statefulSet(1), pods: [], revisions: HISTORY }, NOW_MS);
    const create = actions.find((action) => action.kind === 'create');
    expect(create?.kind === 'create' && create.object).toMatchObject({
      metadata: {
        name: 'web-0',
        labels: {
          app: 'web',
          'statefulset.kubernetes.io/pod-name': 'web-0',
          'apps.kubernetes.io/pod-index': '0',
          'controller-revision-hash': OLD,
        },
      },
      spec: { hostname: 'web-0', subdomain: 'svc' },
    });
  });
});

describe('StatefulSet: updates', () => {
  const changed = (spec: Partial<StatefulSet['spec']> = {}) =>
    statefulSet(3, { template: withImage('nginx:2'), ...spec });
  const partition = (count: number) => ({ updateStrategy: { rollingUpdate: { partition: count } } });

  it.each([
    ['from the highest ordinal', changed(), [web(0), web(1), web(2)], ['delete pods web-2']],
    ['waits for the new pod', changed(), [web(0), web(1), updated(2, { ready: false })], []],
    ['one after the other', changed(), [web(0), web(1), updated(2)], ['delete pods web-1']],
    ['one at a time in Parallel', changed(parallel), [web(0), web(1), web(2)], ['delete pods web-2']],
    ['down to the partition', changed(partition(2)), [web(0), web(1), updated(2)], []],
    ['not on its own with OnDelete', changed({ updateStrategy: { type: 'OnDelete' } }), [web(0), web(1), web(2)], []],
  ])('%s', (_, set, pods, expected) => {
    expect(writes(set, pods, HISTORY)).toEqual(expected);
  });

  it.each([
    ['below the partition with the old template', changed(partition(1)), OLD, 'nginx'],
    ['above the partition with the new one', changed(partition(0)), NEW, 'nginx:2'],
    [
      'with the new one after a delete under OnDelete',
      changed({ updateStrategy: { type: 'OnDelete' } }),
      NEW,
      'nginx:2',
    ],
  ])('makes pods %s', (_, set, label, image) => {
    const { actions } = reconcileStatefulSet({ statefulSet: set, pods: [], revisions: HISTORY }, NOW_MS);
    const create = actions.find((action) => action.kind === 'create');
    expect(create?.kind === 'create' && create.object).toMatchObject({
      metadata: { labels: { 'controller-revision-hash': label } },
      spec: { containers: [{ image }] },
    });
  });

  it('records a new template, renumbers an old one, forgets those beyond the limit', () => {
    const all = [web(0), web(1), web(2)];
    expect(writes(changed(), all)).toEqual([`create controllerrevisions ${NEW}`, 'delete pods web-2']);
    expect(writes(statefulSet(3), all, HISTORY)).toEqual([`patch controllerrevisions ${OLD}`]);
    const old = [revision('web-a', -1), revision('web-b', 0), HISTORY[0]!];
    expect(writes(statefulSet(3, { revisionHistoryLimit: 1 }), all, old)).toEqual(['delete controllerrevisions web-a']);
  });

  it('counts for its status, and completes when all are updated and ready', () => {
    const half = [web(0), web(1), updated(2, { ready: false })];
    expect(statusAfter({ statefulSet: changed(), pods: half, revisions: HISTORY })).toEqual({
      observedGeneration: 1,
      replicas: 3,
      readyReplicas: 2,
      availableReplicas: 2,
      currentReplicas: 2,
      updatedReplicas: 1,
      currentRevision: OLD,
      updateRevision: NEW,
      collisionCount: 0,
    });
    const done = [updated(0), updated(1), updated(2)];
    expect(statusAfter({ statefulSet: changed(), pods: done, revisions: HISTORY })).toMatchObject({
      currentReplicas: 3,
      updatedReplicas: 3,
      currentRevision: NEW,
      updateRevision: NEW,
    });
  });

  it('looks again when a pod becomes available', () => {
    const set = statefulSet(2, { minReadySeconds: 30 });
    const state = { statefulSet: set, pods: [web(0, { readySince: -10 })], revisions: HISTORY };
    expect(reconcileStatefulSet(state, NOW_MS).requeueAfterMs).toBe(20_000);
  });
});
