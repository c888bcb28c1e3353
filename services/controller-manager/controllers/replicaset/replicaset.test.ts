import { describe, expect, it } from 'vitest';
import { at, deployment, NOW_MS, pod, replicaSet, replicaSetOf, summary } from '../../objects.testkit.ts';
import { podsToDelete } from './deletion-order.ts';
import { reconcileReplicaSet } from './replicaset.ts';

const rs = (replicas: number) => replicaSet(replicas);
const own = (name: string, facts = {}) => pod(name, { owner: replicaSet(1), ...facts });
const writes = (state: Parameters<typeof reconcileReplicaSet>[0]) =>
  summary(reconcileReplicaSet(state, NOW_MS).actions).filter((text) => !text.startsWith('update-status'));

describe('ReplicaSet', () => {
  it.each([
    ['makes what is missing', rs(3), [own('a')], ['create pods', 'create pods']],
    ['does nothing when all are there', rs(2), [own('a'), own('b')], []],
    ['counts pods being deleted as gone', rs(2), [own('a'), own('b', { terminating: true })], ['create pods']],
    ['counts finished pods as gone', rs(1), [own('a', { phase: 'Failed' })], ['create pods']],
    ['deletes what is too much, unready first', rs(1), [own('a'), own('b', { ready: false })], ['delete pods b']],
    ['scales to nothing', rs(0), [own('a')], ['delete pods a']],
    ['adopts a matching pod without owner', rs(1), [pod('stray')], ['patch pods stray']],
    [
      'leaves pods of others alone',
      rs(1),
      [
        pod('other', {
          meta: { ownerReferences: [{ apiVersion: 'v1', kind: 'X', name: 'x', uid: 'x', controller: true }] },
        }),
      ],
      ['create pods'],
    ],
    [
      'lets go of a pod whose labels changed',
      rs(1),
      [own('a', { labels: { app: 'other' } })],
      ['patch pods a', 'create pods'],
    ],
  ])('%s', (_, replicas, pods, expected) => {
    expect(writes({ replicaSet: replicas, pods })).toEqual(expected);
  });

  it('does nothing while it is being deleted', () => {
    const going = { ...rs(3), metadata: { ...rs(3).metadata, deletionTimestamp: at(0) } };
    expect(writes({ replicaSet: going, pods: [] })).toEqual([]);
  });

  it('writes its status once, and says when a pod becomes available', () => {
    const set = replicaSet(2, { minReadySeconds: 30 });
    const outcome = reconcileReplicaSet(
      { replicaSet: set, pods: [own('a', { readySince: -10 }), own('b', { readySince: -60 })] },
      NOW_MS,
    );
    expect(outcome.requeueAfterMs).toBe(20_000);
    const [update] = outcome.actions;
    const status = update?.kind === 'update-status' ? (update.object as typeof set).status : undefined;
    expect(status).toEqual({
      replicas: 2,
      fullyLabeledReplicas: 2,
      readyReplicas: 2,
      availableReplicas: 1,
      observedGeneration: 1,
    });
    const settled = reconcileReplicaSet(
      { replicaSet: { ...set, status }, pods: [own('a', { readySince: -10 }), own('b')] },
      NOW_MS,
    );
    expect(settled.actions).toEqual([]);
  });

  it('says why pods cannot be made', () => {
    const { actions } = reconcileReplicaSet({ replicaSet: rs(1), pods: [], lastFailure: 'quota' }, NOW_MS);
    const status = actions.find((action) => action.kind === 'update-status');
    expect(status?.kind === 'update-status' && status.object).toMatchObject({
      status: { conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'quota' }] },
    });
  });

  it('starts slowly, with at most 500 pods', () => {
    const { actions } = reconcileReplicaSet({ replicaSet: rs(2000), pods: [] }, NOW_MS);
    const start = actions.find((action) => action.kind === 'slow-start');
    expect(start?.kind === 'slow-start' && start.actions.length).toBe(500);
  });
});

describe('deletion order', () => {
  it.each([
    ['unassigned before assigned', pod('x', { node: '' }), pod('y')],
    ['pending before running', pod('x', { phase: 'Pending' }), pod('y')],
    ['not ready before ready', pod('x', { ready: false }), pod('y')],
    [
      'cheap before dear',
      pod('x', { meta: { annotations: { 'controller.kubernetes.io/pod-deletion-cost': '-5' } } }),
      pod('y'),
    ],
    ['short before long ready', pod('x', { readySince: -5 }), pod('y', { readySince: -50 })],
    ['often restarted before calm', pod('x', { restarts: 4 }), pod('y')],
    ['young before old', pod('x', { createdAt: -10 }), pod('y', { createdAt: -100 })],
  ])('%s', (_, first, second) => {
    expect(podsToDelete([second, first], [second, first], 1)).toEqual([first]);
  });

  it('takes from the crowded node, counting pods of the other revisions', () => {
    const a = pod('a', { node: 'n1' });
    const b = pod('b', { node: 'n2' });
    expect(podsToDelete([a, b], [a, b, pod('c', { node: 'n2' })], 1)).toEqual([b]);
    const owner = deployment();
    const set = replicaSetOf(owner, 'web-1', { replicas: 1 });
    expect(set.metadata.ownerReferences?.[0]?.name).toBe('web');
  });
});
