import type { Job, JobSpec } from 'kubernetes-types/batch/v1.js';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { describe, expect, it } from 'vitest';
import type { Live } from '../../../../shared/api/live.ts';
import { JOBS } from '../../../../shared/api/resources.ts';
import { at, meta, NOW_MS, type PodFacts, pod, summary, TEMPLATE } from '../../objects.testkit.ts';
import { controllerReference } from '../../owner.ts';
import { COMPLETION_INDEX, formatIndexes, parseIndexes } from './completion-index.ts';
import { FAILURE_COUNT } from './index-failures.ts';
import { reconcileJob } from './job.ts';

function job(spec: Partial<JobSpec> = {}, status: Job['status'] = { startTime: at(-60) }): Live<Job> {
  const basic = { completions: 1, parallelism: 1, backoffLimit: 6, template: TEMPLATE };
  return { metadata: meta('pi'), spec: { ...basic, ...spec }, status };
}

function run(name: string, phase: string, facts: PodFacts & { index?: number } = {}): Live<Pod> {
  const { index } = facts;
  return pod(name, {
    phase,
    ready: phase === 'Running',
    ...facts,
    meta: {
      ownerReferences: [controllerReference(JOBS, job())],
      ...(index === undefined ? {} : { annotations: { [COMPLETION_INDEX]: String(index) } }),
    },
  });
}

const writes = (subject: Live<Job>, pods: readonly Live<Pod>[] = []): string[] =>
  summary(reconcileJob({ job: subject, pods }, NOW_MS).actions).filter((text) => !text.startsWith('update-status'));

function statusAfter(subject: Live<Job>, pods: readonly Live<Pod>[] = []): Job['status'] {
  const update = reconcileJob({ job: subject, pods }, NOW_MS).actions.find(({ kind }) => kind === 'update-status');
  return update?.kind === 'update-status' ? (update.object as Job).status : undefined;
}

const two = { completions: 4, parallelism: 2 };
const queue = { completions: undefined, parallelism: 2 };
const indexed = { completionMode: 'Indexed', completions: 3, parallelism: 3 };
const onFailure = { template: { ...TEMPLATE, spec: { containers: [], restartPolicy: 'OnFailure' } } };
const done = { conditions: [{ type: 'Complete', status: 'True', lastTransitionTime: at(-10) }] };

/** Tries again for nothing after 42, never after 1 to 3. */
const patient: Partial<JobSpec> = {
  parallelism: 2,
  completions: 2,
  podFailurePolicy: {
    rules: [
      { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
      { action: 'Ignore', onExitCodes: { operator: 'In', values: [42] } },
      { action: 'FailJob', onExitCodes: { containerName: 'c', operator: 'NotIn', values: [5, 42] } },
    ],
  },
};

function exited(name: string, exitCode: number): Live<Pod> {
  const failed = run(name, 'Failed', { createdAt: -5 });
  const container = { name: 'c', image: '', imageID: '', ready: false, restartCount: 0 };
  return {
    ...failed,
    status: { ...failed.status, containerStatuses: [{ ...container, state: { terminated: { exitCode } } }] },
  };
}

describe('Job', () => {
  it.each([
    ['makes its pod', job(), [], ['create pods']],
    ['as many as may run at a time', job(two), [], ['create pods', 'create pods']],
    ['the rest only', job(two), ['a', 'b', 'c'].map((n) => run(n, 'Succeeded')), ['create pods']],
    ['leaves a running pod alone', job(), [run('a', 'Running')], []],
    ['is complete', job(), [run('a', 'Succeeded')], ['event Completed']],
    [
      'ends what is too much',
      job({ ...two, parallelism: 1 }),
      [run('a', 'Running'), run('b', 'Pending')],
      ['delete pods b'],
    ],
    ['a work queue: full at first', job(queue), [], ['create pods', 'create pods']],
    ['a work queue: nobody new after a success', job(queue), [run('a', 'Succeeded'), run('b', 'Running')], []],
    ['a work queue: complete when all ended', job(queue), [run('a', 'Succeeded')], ['event Completed']],
    ['tries again after a failure', job(), [run('a', 'Failed', { createdAt: -60 })], ['create pods']],
    ['not before the pause is over', job(), [run('a', 'Failed', { createdAt: -9 })], []],
    ['gives up', job({ backoffLimit: 0 }), [run('a', 'Failed')], ['event BackoffLimitExceeded']],
    [
      'gives up after restarts in place',
      job({ ...onFailure, backoffLimit: 2 }),
      [run('a', 'Running', { restarts: 2 })],
      ['delete pods a', 'event BackoffLimitExceeded'],
    ],
    [
      'gives up at the deadline',
      job({ activeDeadlineSeconds: 60 }),
      [run('a', 'Running')],
      ['delete pods a', 'event DeadlineExceeded'],
    ],
    ['replaces a pod that is being deleted', job(), [run('a', 'Running', { terminating: true })], ['create pods']],
    ['suspended: its pods go', job({ suspend: true }), [run('a', 'Running')], ['delete pods a', 'event Suspended']],
    [
      'goes on when resumed',
      job({}, { conditions: [{ type: 'Suspended', status: 'True' }] }),
      [],
      ['create pods', 'event Resumed'],
    ],
    ['nothing after it is finished', job({}, done), [], []],
    ['stays until its time to live is over', job({ ttlSecondsAfterFinished: 11 }, done), [], []],
    ['goes then', job({ ttlSecondsAfterFinished: 10 }, done), [], ['delete jobs pi']],
    ['Indexed: one for each', job(indexed), [], ['create pods', 'create pods', 'create pods']],
    [
      'Indexed: an index twice counts once',
      job(indexed),
      [run('a', 'Succeeded', { index: 1 }), run('b', 'Succeeded', { index: 1 }), run('c', 'Running', { index: 0 })],
      ['create pods'],
    ],
    ['a pause after a failure that is ignored', job(patient), [exited('a', 42)], []],
    ['which is not counted', job({ ...patient, backoffLimit: 0 }), [exited('a', 42)], []],
    [
      'a failure that ends all',
      job(patient),
      [exited('a', 3), run('b', 'Running')],
      ['delete pods b', 'event PodFailurePolicy'],
    ],
    [
      'a failure that no rule means',
      job({ ...patient, backoffLimit: 0 }),
      [exited('a', 5)],
      ['event BackoffLimitExceeded'],
    ],
  ])('%s', (_, subject, pods, expected) => {
    expect(writes(subject, pods)).toEqual(expected);
  });

  it('gives an index to its pod: name, host name, annotation, variable', () => {
    const pods = [run('a', 'Succeeded', { index: 0 }), run('c', 'Running', { index: 2 })];
    const [first] = reconcileJob({ job: job(indexed), pods }, NOW_MS).actions;
    const create = first?.kind === 'slow-start' ? first.actions[0] : undefined;
    expect(create?.kind === 'create' && create.object).toMatchObject({
      metadata: {
        generateName: 'pi-1-',
        labels: { app: 'web', [COMPLETION_INDEX]: '1' },
        annotations: { [COMPLETION_INDEX]: '1' },
      },
      spec: { hostname: 'pi-1', containers: [{ env: [{ name: 'JOB_COMPLETION_INDEX' }] }] },
    });
  });

  it.each([
    ['its start', job({}, {}), [], { startTime: at(0), ready: 0 }],
    ['what runs', job(two), [run('a', 'Running'), run('b', 'Pending')], { active: 2, ready: 1 }],
    ['success', job(), [run('a', 'Succeeded')], { succeeded: 1, completionTime: at(0) }],
    ['what was counted of pods that are gone', job(two, { succeeded: 3, failed: 2 }), [], { succeeded: 3, failed: 2 }],
    [
      'completed indexes',
      job({ ...indexed, completions: 5 }, { completedIndexes: '0-2' }),
      [run('a', 'Succeeded', { index: 4 })],
      { succeeded: 4, completedIndexes: '0-2,4' },
    ],
    [
      'failure',
      job({ backoffLimit: 0 }),
      [run('a', 'Failed')],
      {
        failed: 1,
        conditions: [
          { type: 'FailureTarget', status: 'True', reason: 'BackoffLimitExceeded' },
          { type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded' },
        ],
      },
    ],
  ])('status: %s', (_, subject, pods, expected) => {
    expect(statusAfter(subject, pods)).toMatchObject(expected);
  });

  it.each<[string, NonNullable<JobSpec['successPolicy']>['rules'], boolean]>([
    ['enough of any', [{ succeededCount: 2 }], true],
    ['the leader', [{ succeededIndexes: '1' }], false],
    ['these', [{ succeededIndexes: '0,2' }], true],
    ['one of these', [{ succeededIndexes: '1-2', succeededCount: 1 }], true],
    ['the second rule', [{ succeededIndexes: '1' }, { succeededCount: 1 }], true],
  ])('has succeeded by its policy: %s', (_, rules, met) => {
    const pods = [
      run('a', 'Succeeded', { index: 0 }),
      run('c', 'Succeeded', { index: 2 }),
      run('b', 'Running', { index: 1 }),
    ];
    const subject = job({ ...indexed, successPolicy: { rules } });
    expect(writes(subject, pods)).toEqual(met ? ['delete pods b', 'event Completed'] : []);
    if (!met) return;
    const message = `Matched rules at index ${rules.length - 1}`;
    expect(statusAfter(subject, pods)?.conditions).toMatchObject([
      { type: 'SuccessCriteriaMet', reason: 'SuccessPolicy', message },
      { type: 'Complete', reason: 'SuccessPolicy', message },
    ]);
  });

  describe('with a limit for each index', () => {
    const limited = { ...indexed, completions: 2, parallelism: 2, backoffLimitPerIndex: 1 };
    const failed = (name: string, index: number, before: number, createdAt = -60): Live<Pod> => {
      const one = run(name, 'Failed', { index, createdAt });
      const annotations = { ...one.metadata.annotations, [FAILURE_COUNT]: String(before) };
      return { ...one, metadata: { ...one.metadata, annotations } };
    };

    it.each<[string, Partial<JobSpec>, Live<Pod>[], string[]]>([
      ['tries an index again', {}, [failed('a', 0, 0), run('b', 'Running', { index: 1 })], ['create pods']],
      ['after its own pause', {}, [failed('a', 0, 0, -9)], ['create pods']],
      ['gives an index up', {}, [failed('a', 0, 1), run('b', 'Running', { index: 1 })], []],
      [
        'fails when all have ended',
        {},
        [failed('a', 0, 1), run('b', 'Succeeded', { index: 1 })],
        ['event FailedIndexes'],
      ],
      [
        'fails when too many have',
        { maxFailedIndexes: 0 },
        [failed('a', 0, 1), run('b', 'Running', { index: 1 })],
        ['delete pods b', 'event MaxFailedIndexesExceeded'],
      ],
      [
        'gives an index up at once',
        {
          podFailurePolicy: { rules: [{ action: 'FailIndex', onPodConditions: [{ type: 'Ready', status: 'False' }] }] },
        },
        [failed('a', 0, 0), run('b', 'Running', { index: 1 })],
        [],
      ],
    ])('%s', (_, more, pods, expected) => {
      expect(writes(job({ ...limited, ...more }), pods)).toEqual(expected);
    });

    it('remembers', () => {
      const pods = [failed('a', 0, 1), failed('b', 1, 0)];
      expect(statusAfter(job(limited), pods)).toMatchObject({ failedIndexes: '0', failed: 2 });
      const [first] = reconcileJob({ job: job(limited), pods }, NOW_MS).actions;
      const create = first?.kind === 'slow-start' ? first.actions[0] : undefined;
      expect(create?.kind === 'create' && create.object).toMatchObject({
        metadata: { annotations: { [COMPLETION_INDEX]: '1', [FAILURE_COUNT]: '1' } },
      });
    });
  });

  it('says which rule ended it', () => {
    expect(statusAfter(job(patient), [exited('a', 3)])?.conditions).toMatchObject([
      { type: 'FailureTarget' },
      {
        type: 'Failed',
        reason: 'PodFailurePolicy',
        message: 'Container c for pod default/a failed with exit code 3 matching FailJob rule at index 2',
      },
    ]);
    const disrupted = run('a', 'Failed');
    const conditions = [{ type: 'DisruptionTarget', status: 'True' }];
    const pods = [{ ...disrupted, status: { ...disrupted.status, conditions } }];
    expect(statusAfter(job(patient), pods)?.failed).toBeUndefined();
  });

  it.each([
    ['the deadline', job({ activeDeadlineSeconds: 90 }), [run('a', 'Running')], 30_000],
    ['the pause after two failures', job(), ['a', 'b'].map((n) => run(n, 'Failed', { createdAt: -5 })), 15_000],
    ['the time to live', job({ ttlSecondsAfterFinished: 30 }, done), [], 20_000],
  ])('looks again for %s', (_, subject, pods, expected) => {
    expect(reconcileJob({ job: subject, pods }, NOW_MS).requeueAfterMs).toBe(expected);
  });

  it.each([
    ['', []],
    ['0', [0]],
    ['0,1', [0, 1]],
    ['0,3-5,7', [0, 3, 4, 5, 7]],
  ])('writes indexes as %j', (text, indexes) => {
    expect(formatIndexes(new Set(indexes))).toBe(text);
    expect([...parseIndexes(text, 10)]).toEqual(indexes);
  });
});
