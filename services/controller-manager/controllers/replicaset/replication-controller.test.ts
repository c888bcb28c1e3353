import type { ReplicationController } from 'kubernetes-types/core/v1.js';
import { expect, it } from 'vitest';
import type { Live } from '../../../../shared/api/live.ts';
import { PODS, REPLICATIONCONTROLLERS } from '../../../../shared/api/resources.ts';
import { meta, NOW_MS, pod, TEMPLATE } from '../../objects.testkit.ts';
import { reconcileReplicationController } from './replication-controller.ts';

const controller: Live<ReplicationController> = {
  metadata: meta('old'),
  spec: { replicas: 1, selector: { app: 'web' }, template: TEMPLATE },
};

it('makes pods of its own, selected by a plain map of labels', () => {
  const { actions } = reconcileReplicationController({ controller, pods: [] }, NOW_MS);
  const owner = { kind: 'ReplicationController', apiVersion: 'v1', name: 'old', controller: true };
  expect(actions[0]).toMatchObject({
    kind: 'slow-start',
    actions: [{ kind: 'create', resource: PODS, object: { metadata: { ownerReferences: [owner] } } }],
  });
});

it('adopts what it selects, and reports its status in its own form', () => {
  const { actions } = reconcileReplicationController({ controller, pods: [pod('stray')] }, NOW_MS);
  expect(actions).toEqual([
    expect.objectContaining({ kind: 'patch', resource: PODS, name: 'stray' }),
    expect.objectContaining({
      kind: 'update-status',
      resource: REPLICATIONCONTROLLERS,
      object: { ...controller, status: expect.objectContaining({ replicas: 1 }) },
    }),
  ]);
});
