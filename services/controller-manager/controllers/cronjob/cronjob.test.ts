import type { CronJob, CronJobSpec, Job } from 'kubernetes-types/batch/v1.js';
import { describe, expect, it } from 'vitest';
import type { Live } from '../../../../shared/api/live.ts';
import { CRONJOBS } from '../../../../shared/api/resources.ts';
import { at, meta, NOW_MS, summary, TEMPLATE } from '../../objects.testkit.ts';
import { controllerReference } from '../../owner.ts';
import { reconcileCronJob } from './cronjob.ts';
import { lastTimeMs, nextTimeMs, parseSchedule } from './schedule.ts';

const DUE = `tick-${NOW_MS / 60_000}`;

function cron(spec: Partial<CronJobSpec> = {}, lastScheduled = -60): Live<CronJob> {
  return {
    metadata: meta('tick'),
    spec: { schedule: '* * * * *', jobTemplate: { spec: { template: TEMPLATE } }, ...spec },
    status: { lastScheduleTime: at(lastScheduled) },
  };
}

function job(name: string, finish?: 'Complete' | 'Failed', startedAt = -60): Live<Job> {
  return {
    metadata: meta(name, { ownerReferences: [controllerReference(CRONJOBS, cron())] }),
    spec: { template: TEMPLATE },
    status: { startTime: at(startedAt), ...(finish ? { conditions: [{ type: finish, status: 'True' }] } : {}) },
  };
}

const created = [`create jobs ${DUE}`, 'event SuccessfulCreate'];

describe('CronJob', () => {
  it.each([
    ['makes the Job that is due', cron(), [], created],
    ['nothing before its time', cron({}, 0), [], []],
    ['a time once', cron(), [job(DUE)], []],
    ['of missed times the last', cron({}, -300), [], created],
    ['nothing while suspended', cron({ suspend: true }), [], []],
    ['beside a running one', cron(), [job('old')], created],
    ['not with Forbid', cron({ concurrencyPolicy: 'Forbid' }), [job('old')], ['event JobAlreadyActive']],
    [
      'in its place with Replace',
      cron({ concurrencyPolicy: 'Replace' }),
      [job('old')],
      ['delete jobs old', ...created],
    ],
    ['too late', cron({ schedule: '58 * * * *', startingDeadlineSeconds: 60 }, -300), [], ['event MissSchedule']],
    ['a wrong schedule', cron({ schedule: '61 * * * *' }), [], ['event UnparseableSchedule']],
    ['a time zone', cron({ schedule: '0 13 * * *', timeZone: 'Europe/Paris' }), [], created],
    ['an unknown time zone', cron({ timeZone: 'Mars/Olympus' }), [], ['event UnknownTimeZone']],
    [
      'forgets old history',
      cron({ successfulJobsHistoryLimit: 1, failedJobsHistoryLimit: 0 }, 0),
      [job('a', 'Complete', -300), job('b', 'Complete', -200), job('c', 'Failed')],
      ['delete jobs a', 'delete jobs c'],
    ],
  ])('%s', (_, cronJob, jobs, expected) => {
    const { actions } = reconcileCronJob({ cronJob, jobs }, NOW_MS);
    expect(summary(actions).filter((text) => !text.startsWith('update-status'))).toEqual(expected);
  });

  it('writes its status and comes back at the next time', () => {
    const { actions, requeueAfterMs } = reconcileCronJob({ cronJob: cron(), jobs: [job('old')] }, NOW_MS + 5000);
    const update = actions.find(({ kind }) => kind === 'update-status');
    expect(update?.kind === 'update-status' && (update.object as CronJob).status).toMatchObject({
      active: [{ kind: 'Job', name: 'old' }],
      lastScheduleTime: at(0),
    });
    expect(requeueAfterMs).toBe(55_000);
  });
});

describe('schedule', () => {
  const from = Date.parse('2026-01-01T12:00:00Z');

  it.each([
    ['*/5 * * * *', '2026-01-01T12:05:00Z'],
    ['0 9-17/4 * * *', '2026-01-01T13:00:00Z'],
    ['15,45 * * * *', '2026-01-01T12:15:00Z'],
    ['@hourly', '2026-01-01T13:00:00Z'],
    ['@daily', '2026-01-02T00:00:00Z'],
    ['@weekly', '2026-01-04T00:00:00Z'],
    ['0 0 * * mon', '2026-01-05T00:00:00Z'],
    ['0 0 * * 7', '2026-01-04T00:00:00Z'],
    ['0 0 13 * 5', '2026-01-02T00:00:00Z'],
    ['0 0 29 feb *', '2028-02-29T00:00:00Z'],
  ])('%s comes next at %s', (text, expected) => {
    const schedule = parseSchedule(text);
    expect(schedule && nextTimeMs(schedule, from)).toBe(Date.parse(expected));
  });

  it.each(['', '* * * *', '60 * * * *', '*/0 * * * *', '5-1 * * * *', 'x * * * *', '0 0 0 * *', '@sometimes'])(
    'refuses %j',
    (text) => {
      expect(parseSchedule(text)).toBeUndefined();
    },
  );

  it('finds the last time in a span, and none for a date that never comes', () => {
    const hourly = parseSchedule('@hourly')!;
    expect(lastTimeMs(hourly, from - 7_200_000, from + 60_000)).toBe(from);
    expect(lastTimeMs(hourly, from, from + 60_000)).toBeUndefined();
    expect(nextTimeMs(parseSchedule('0 0 31 2 *')!, from)).toBeUndefined();
  });
});
