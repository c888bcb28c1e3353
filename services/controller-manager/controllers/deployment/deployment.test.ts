import fc from 'fast-check';
import type { Deployment, ReplicaSet } from 'kubernetes-types/apps/v1.js';
import { describe, expect, it } from 'vitest';
import type { Live } from '../../../../shared/api/live.ts';
import type { Action } from '../../action.ts';
import { at, deployment, NOW_MS, pod, replicaSetOf, summary, withImage } from '../../objects.testkit.ts';
import { reconcileDeployment } from './deployment.ts';
import { limitsOf } from './rolling-update.ts';

function steps(
  owner: Live<Deployment>,
  replicaSets: Live<ReplicaSet>[],
  pods: ReturnType<typeof pod>[] = [],
): string[] {
  const { actions } = reconcileDeployment({ deployment: owner, replicaSets, pods }, NOW_MS);
  return actions.filter((action) => !isStatus(action)).map(describeAction);
}

function isStatus(action: Action): boolean {
  return action.kind === 'patch' && action.subresource === 'status';
}

function describeAction(action: Action): string {
  if (action.kind === 'patch') {
    const replicas = (action.body as { spec?: { replicas?: number } }).spec?.replicas;
    return `${action.name} -> ${replicas ?? JSON.stringify((action.body as { metadata: object }).metadata)}`;
  }
  if (action.kind === 'event') return action.message;
  return summary([action])[0] ?? '';
}

/** A Deployment that already carries its revision. */
function annotated(spec: Parameters<typeof deployment>[0] = {}, revision = '1'): Live<Deployment> {
  return deployment(spec, { metadata: { annotations: { 'deployment.kubernetes.io/revision': revision } } });
}

const upgraded = (spec = {}) => annotated({ replicas: 4, template: withImage('nginx:2'), ...spec }, '2');
const oldSet = (owner: Live<Deployment>, replicas: number, ready = replicas) =>
  replicaSetOf(owner, 'web-old', { replicas, ready, image: 'nginx', revision: 1, createdAt: -500 });
const newSet = (owner: Live<Deployment>, replicas: number, ready = replicas) =>
  replicaSetOf(owner, 'web-new', { replicas, ready, revision: 2, createdAt: -10 });

describe('Deployment', () => {
  it('makes the first ReplicaSet with all replicas, and notes the revision', () => {
    const [created, revision, event] = steps(deployment(), []);
    expect(created).toMatch(/^create replicasets web-[b-z0-9]+$/);
    expect(revision).toContain('"deployment.kubernetes.io/revision":"1"');
    expect(event).toMatch(/^Scaled up replica set web-[b-z0-9]+ from 0 to 3$/);
  });

  it('names the ReplicaSet by its template', () => {
    const name = (image: string) => steps(deployment({ template: withImage(image) }), [])[0];
    expect(name('nginx')).toBe(name('nginx'));
    expect(name('nginx')).not.toBe(name('nginx:2'));
  });

  it.each([
    ['surges by 25%', 4, 4, 0, ['create replicasets', 'Scaled up replica set NEW from 0 to 1']],
    [
      'takes an old pod away once that is safe',
      4,
      4,
      [1, 0],
      ['web-old -> 3', 'Scaled down replica set web-old from 4 to 3'],
    ],
    ['waits while too few are available', 4, 3, [2, 0], []],
    [
      'goes on as new pods become available',
      4,
      3,
      [2, 1],
      ['web-old -> 2', 'Scaled down replica set web-old from 3 to 2'],
    ],
    ['grows the new one up to the surge', 4, 2, [2, 2], ['web-new -> 3', 'Scaled up replica set web-new from 2 to 3']],
    ['ends with the old one at 0', 4, 1, [4, 4], ['web-old -> 0', 'Scaled down replica set web-old from 1 to 0']],
    ['rests when done', 4, 0, [4, 4], []],
  ] as const)('rolling update: %s', (_, replicas, old, fresh, expected) => {
    const owner = upgraded({ replicas });
    const sets = [oldSet(owner, old), ...(fresh === 0 ? [] : [newSet(owner, fresh[0], fresh[1])])];
    const found = steps(owner, sets).map((text) => text.replace(/web-(?!old|new)[b-z0-9]+/, 'NEW'));
    if (fresh === 0)
      expect(found.map((text) => text.replace(' NEW', text.startsWith('create') ? '' : ' NEW'))).toEqual(
        expect.arrayContaining([...expected]),
      );
    else expect(found).toEqual(expected);
  });

  it('removes unhealthy old pods first: they cost no availability', () => {
    const owner = upgraded();
    // Two of three allowed pods are available: no healthy one may go, an unhealthy one may.
    expect(steps(owner, [oldSet(owner, 4, 2), newSet(owner, 1, 0)])[0]).toBe('web-old -> 3');
    expect(steps(owner, [oldSet(owner, 2, 2), newSet(owner, 3, 1)])).toEqual([]);
  });

  it('Recreate: old pods go first, the new ReplicaSet comes when the last one is gone', () => {
    const owner = upgraded({ strategy: { type: 'Recreate' } });
    const down = oldSet(owner, 0);
    expect(steps(owner, [oldSet(owner, 4)])[0]).toBe('web-old -> 0');
    expect(steps(owner, [down], [pod('p', { owner: down, terminating: true })])).toEqual([]);
    expect(steps(owner, [down], [])[0]).toMatch(/^create replicasets/);
  });

  it('scales all ReplicaSets in proportion in the middle of a rollout', () => {
    const owner = upgraded({ replicas: 10 });
    const before = { desired: 5, max: 6 };
    const old = replicaSetOf(owner, 'web-old', { replicas: 4, image: 'nginx', ...before });
    const fresh = replicaSetOf(owner, 'web-new', { replicas: 2, revision: 2, createdAt: -1, ...before });
    expect(steps(owner, [old, fresh]).filter((text) => text.includes('->'))).toEqual(['web-old -> 9', 'web-new -> 4']);
  });

  it('paused: scales, but does not roll', () => {
    const owner = upgraded({ paused: true });
    expect(steps(owner, [oldSet(owner, 4)])).toEqual([]);
    const grown = upgraded({ paused: true, replicas: 6 });
    expect(steps(grown, [replicaSetOf(grown, 'web-old', { replicas: 4, image: 'nginx', desired: 4 })])[0]).toBe(
      'web-old -> 6',
    );
  });

  it('an old template that returns gets the next revision', () => {
    const owner = annotated({ template: withImage('nginx') }, '2');
    const returned = replicaSetOf(owner, 'web-old', { replicas: 0, revision: 1, createdAt: -500 });
    const other = replicaSetOf(owner, 'web-new', { replicas: 3, revision: 2, image: 'nginx:2' });
    const [annotation, revision] = steps(owner, [returned, other]);
    expect(annotation).toContain('"deployment.kubernetes.io/revision":"3","deployment.kubernetes.io/desired-replicas"');
    expect(annotation).toContain('"deployment.kubernetes.io/revision-history":"1"');
    expect(revision).toContain('"deployment.kubernetes.io/revision":"3"');
  });

  it('keeps revisionHistoryLimit old ReplicaSets once the rollout is complete', () => {
    const status = { replicas: 3, updatedReplicas: 3, availableReplicas: 3, readyReplicas: 3, observedGeneration: 1 };
    const owner = { ...annotated({ revisionHistoryLimit: 1, template: withImage('n3') }, '3'), status };
    const sets = [1, 2].map((revision) =>
      replicaSetOf(owner, `old-${revision}`, { replicas: 0, image: `n${revision}`, revision }),
    );
    const current = replicaSetOf(owner, 'web-new', { replicas: 3, revision: 3 });
    expect(steps(owner, [...sets, current])).toEqual(['delete replicasets old-1']);
  });
});

describe('Deployment status', () => {
  function status(owner: Live<Deployment>, sets: Live<ReplicaSet>[]): Deployment['status'] {
    const { actions } = reconcileDeployment({ deployment: owner, replicaSets: sets, pods: [] }, NOW_MS);
    const patch = actions.find(isStatus);
    return patch?.kind === 'patch' ? (patch.body as Deployment).status : undefined;
  }
  const condition = (of: Deployment['status'], type: string) => of?.conditions?.find((one) => one.type === type);

  it('tells kubectl rollout status what it needs', () => {
    const owner = upgraded();
    const found = status(owner, [oldSet(owner, 3), newSet(owner, 2, 1)]);
    expect(found).toMatchObject({
      observedGeneration: 1,
      replicas: 5,
      updatedReplicas: 2,
      readyReplicas: 4,
      availableReplicas: 4,
      unavailableReplicas: 1,
    });
    expect(condition(found, 'Available')).toMatchObject({ status: 'True', reason: 'MinimumReplicasAvailable' });
    expect(condition(found, 'Progressing')).toMatchObject({ status: 'True', reason: 'FoundNewReplicaSet' });
  });

  it('is complete when all replicas are new and available', () => {
    const owner = annotated();
    const found = status(owner, [replicaSetOf(owner, 'web-1', { replicas: 3 })]);
    expect(condition(found, 'Progressing')).toMatchObject({ reason: 'NewReplicaSetAvailable' });
  });

  it('says that a rollout is stuck after progressDeadlineSeconds', () => {
    const conditions = [
      {
        type: 'Progressing',
        status: 'True',
        reason: 'ReplicaSetUpdated',
        lastUpdateTime: at(-700),
        lastTransitionTime: at(-700),
      },
    ];
    const before = {
      observedGeneration: 1,
      replicas: 4,
      updatedReplicas: 1,
      readyReplicas: 3,
      availableReplicas: 3,
      unavailableReplicas: 1,
      conditions,
    };
    const owner = { ...upgraded({ progressDeadlineSeconds: 600 }), status: before };
    const found = status(owner, [oldSet(owner, 3), newSet(owner, 1, 0)]);
    expect(condition(found, 'Progressing')).toMatchObject({ status: 'False', reason: 'ProgressDeadlineExceeded' });
  });
});

describe('a whole rollout', () => {
  it('stays within maxSurge and maxUnavailable at every step, and ends', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 0, max: 5 }),
        fc.integer({ min: 0, max: 5 }),
        (replicas, surge, unavailable) => {
          const owner = upgraded({
            replicas,
            strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: surge, maxUnavailable: unavailable } },
          });
          const { maxSurge, maxUnavailable } = limitsOf(owner);
          const counts = new Map([
            ['web-old', replicas],
            ['web-new', 0],
          ]);
          const available = new Map(counts);
          for (let round = 0; round < 200; round++) {
            const count = (name: string) => counts.get(name) ?? 0;
            const sets = [
              oldSet(owner, count('web-old'), available.get('web-old')),
              newSet(owner, count('web-new'), available.get('web-new')),
            ];
            const { actions } = reconcileDeployment({ deployment: owner, replicaSets: sets, pods: [] }, NOW_MS);
            for (const action of actions) {
              const target =
                action.kind === 'patch' ? (action.body as { spec?: { replicas?: number } }).spec?.replicas : undefined;
              if (action.kind !== 'patch' || target === undefined) continue;
              counts.set(action.name, target);
              available.set(action.name, Math.min(available.get(action.name) ?? 0, target));
            }
            expect(count('web-old') + count('web-new')).toBeLessThanOrEqual(replicas + maxSurge);
            expect((available.get('web-old') ?? 0) + (available.get('web-new') ?? 0)).toBeGreaterThanOrEqual(
              replicas - maxUnavailable,
            );
            if (count('web-new') === replicas && count('web-old') === 0) return;
            // One more new pod becomes available.
            available.set('web-new', Math.min(count('web-new'), (available.get('web-new') ?? 0) + 1));
          }
          throw new Error('the rollout did not end');
        },
      ),
    );
  });
});
