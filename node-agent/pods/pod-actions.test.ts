import type { Pod, PodStatus } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, test } from 'vitest';
import { type ContainerRecord, createRecords, restoreRecords } from './container-record.ts';
import { decidePod, hasEnded, type PodView, wakeAtMs } from './pod-actions.ts';
import { podPhase, podStatus } from './pod-status.ts';
import { afterAttempt, goDuration, NO_BACKOFF, nextAttemptAtMs } from './restart-backoff.ts';

const NOW = Date.UTC(2026, 0, 31, 8);

interface Shape {
  readonly init?: readonly string[];
  readonly app?: readonly string[];
  readonly restartPolicy?: string;
}

/** Names that end in `*` are sidecars. */
function podOf({ init = [], app = ['web'], restartPolicy = 'Always' }: Shape): Pod & { status?: PodStatus } {
  return {
    metadata: { name: 'pod', namespace: 'default', uid: 'u-1' },
    spec: {
      restartPolicy,
      initContainers: init.map((name) =>
        name.endsWith('*') ? { name: name.slice(0, -1), restartPolicy: 'Always' } : { name },
      ),
      containers: app.map((name) => ({ name })),
    },
  };
}

function view(pod: Pod, records: ContainerRecord[], rest: Partial<PodView> = {}): PodView {
  return { pod, records, sandbox: 'ready', sandboxRetryAtMs: 0, terminating: false, nowMs: NOW, ...rest };
}

function run(record: ContainerRecord, started = true): void {
  record.phase = 'running';
  record.starts++;
  record.started = started;
  record.ready = started;
  record.startedAtMs = NOW;
}

function exit(record: ContainerRecord, exitCode: number, finishedAtMs = NOW): void {
  if (record.phase === 'waiting') record.starts++;
  record.phase = 'exited';
  record.exit = { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', finishedAtMs };
}

function shown(v: PodView): string[] {
  return decidePod(v).map((action) => ('container' in action ? `${action.kind} ${action.container}` : action.kind));
}

function phaseOf(v: PodView): string {
  return podPhase({ pod: v.pod, records: v.records });
}

describe('what a pod needs next', () => {
  test('a sandbox first, once at a time, later again when it failed', () => {
    const pod = podOf({});
    const records = createRecords(pod);
    expect(shown(view(pod, records, { sandbox: 'none' }))).toEqual(['create-sandbox']);
    expect(shown(view(pod, records, { sandbox: 'creating' }))).toEqual([]);
    const failed = view(pod, records, { sandbox: 'none', sandboxRetryAtMs: NOW + 100 });
    expect(shown(failed)).toEqual([]);
    expect(wakeAtMs(failed)).toBe(NOW + 100);
  });

  test('main containers start together', () => {
    const pod = podOf({ app: ['web', 'log'] });
    expect(shown(view(pod, createRecords(pod)))).toEqual(['start web', 'start log']);
  });

  test('init containers run one after the other and hold the main ones back', () => {
    const pod = podOf({ init: ['a', 'b'] });
    const records = createRecords(pod);
    const [a, b, web] = records as [ContainerRecord, ContainerRecord, ContainerRecord];
    expect(shown(view(pod, records))).toEqual(['start a']);
    run(a);
    expect(shown(view(pod, records))).toEqual([]);
    exit(a, 0);
    expect(shown(view(pod, records))).toEqual(['start b']);
    run(b);
    exit(b, 0);
    expect(shown(view(pod, records))).toEqual(['start web']);
    run(web);
    expect(shown(view(pod, records))).toEqual([]);
    expect(phaseOf(view(pod, records))).toBe('Running');
  });

  test('a failed init container is tried again, or fails the pod when it must not be', () => {
    const again = podOf({ init: ['a'], restartPolicy: 'OnFailure' });
    const records = createRecords(again);
    exit(records[0]!, 1);
    expect(shown(view(again, records))).toEqual(['start a']);
    const never = podOf({ init: ['a'], restartPolicy: 'Never' });
    const other = createRecords(never);
    exit(other[0]!, 1);
    expect(shown(view(never, other))).toEqual(['destroy-sandbox']);
    expect(phaseOf(view(never, other))).toBe('Failed');
  });

  test('a sidecar must have started before what follows it, and runs on', () => {
    const pod = podOf({ init: ['proxy*', 'setup'] });
    const records = createRecords(pod);
    const [proxy, setup] = records as [ContainerRecord, ContainerRecord];
    expect(shown(view(pod, records))).toEqual(['start proxy']);
    run(proxy, false);
    expect(shown(view(pod, records))).toEqual([]);
    proxy.started = true;
    expect(shown(view(pod, records))).toEqual(['start setup']);
    run(setup);
    exit(setup, 0);
    expect(shown(view(pod, records))).toEqual(['start web']);
    run(records[2]!);
    exit(proxy, 0);
    expect(shown(view(pod, records))).toEqual(['start proxy']);
  });

  const ends: [string, number, string[], string][] = [
    ['Always', 0, ['start web'], 'Running'],
    ['Always', 1, ['start web'], 'Running'],
    ['OnFailure', 0, ['destroy-sandbox'], 'Succeeded'],
    ['OnFailure', 1, ['start web'], 'Running'],
    ['Never', 0, ['destroy-sandbox'], 'Succeeded'],
    ['Never', 1, ['destroy-sandbox'], 'Failed'],
  ];
  test.each(ends)('restartPolicy %s and exit code %i: %j, %s', (restartPolicy, code, actions, phase) => {
    const pod = podOf({ restartPolicy });
    const records = createRecords(pod);
    run(records[0]!);
    exit(records[0]!, code);
    expect(shown(view(pod, records))).toEqual(actions);
    expect(phaseOf(view(pod, records))).toBe(phase);
  });

  test('a job with a sidecar ends: the sidecar is stopped last', () => {
    const pod = podOf({ init: ['proxy*'], restartPolicy: 'Never' });
    const records = createRecords(pod);
    run(records[0]!);
    run(records[1]!);
    exit(records[1]!, 0);
    expect(shown(view(pod, records))).toEqual(['stop proxy']);
    expect(phaseOf(view(pod, records))).toBe('Running');
    exit(records[0]!, 137);
    expect(shown(view(pod, records))).toEqual(['destroy-sandbox']);
    expect(phaseOf(view(pod, records))).toBe('Succeeded');
  });

  test('a condemned container is stopped', () => {
    const pod = podOf({});
    const records = createRecords(pod);
    run(records[0]!);
    records[0]!.condemned = 'failed liveness probe';
    expect(shown(view(pod, records))).toEqual(['stop web']);
    records[0]!.phase = 'stopping';
    expect(shown(view(pod, records))).toEqual([]);
  });

  test('a terminating pod: main containers, sidecars in reverse, sandbox, object', () => {
    const pod = podOf({ init: ['one*', 'two*'] });
    const records = createRecords(pod);
    for (const record of records) run(record);
    const steps: string[] = [];
    let sandbox: PodView['sandbox'] = 'ready';
    for (let i = 0; i < 5; i++) {
      const next = shown(view(pod, records, { sandbox, terminating: true }));
      steps.push(...next);
      for (const record of records) if (next.includes(`stop ${record.name}`)) exit(record, 0);
      if (next.includes('destroy-sandbox')) sandbox = 'none';
    }
    expect(steps).toEqual(['stop web', 'stop two', 'stop one', 'destroy-sandbox', 'finalise']);
  });

  test('a pod that never got a sandbox is finalised at once; one being made is waited for', () => {
    const pod = podOf({});
    const records = createRecords(pod);
    expect(shown(view(pod, records, { sandbox: 'none', terminating: true }))).toEqual(['finalise']);
    expect(shown(view(pod, records, { sandbox: 'creating', terminating: true }))).toEqual([]);
  });
});

describe('crash loop', () => {
  test('at once, then after 10 s, 20 s, ... 5 min', () => {
    let backoff = NO_BACKOFF;
    let nowMs = NOW;
    const waits: number[] = [];
    for (let crash = 0; crash < 8; crash++) {
      const startMs = nextAttemptAtMs(backoff, nowMs);
      waits.push((startMs - nowMs) / 1000);
      backoff = afterAttempt(backoff, nowMs, startMs);
      nowMs = startMs;
    }
    expect(waits).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
    expect(nextAttemptAtMs(backoff, nowMs + 700_000)).toBe(nowMs + 700_000);
    expect([goDuration(10_000), goDuration(80_000), goDuration(300_000)]).toEqual(['10s', '1m20s', '5m0s']);
  });

  test('shows CrashLoopBackOff with the last exit, and wakes when the wait is over', () => {
    const pod = podOf({});
    const records = createRecords(pod);
    const web = records[0]!;
    run(web);
    web.starts++;
    exit(web, 1);
    web.backoff = { delayMs: 10_000, updatedAtMs: NOW };
    const waiting = view(pod, records, { nowMs: NOW + 1000 });
    expect(decidePod(waiting)).toEqual([
      {
        kind: 'back-off',
        container: 'web',
        untilMs: NOW + 10_000,
        message: 'back-off 10s restarting failed container=web pod=pod_default(u-1)',
      },
    ]);
    expect(wakeAtMs(waiting)).toBe(NOW + 10_000);
    web.waiting = { reason: 'CrashLoopBackOff' };
    const status = statusOf(pod, records).containerStatuses![0]!;
    expect(status).toMatchObject({
      restartCount: 1,
      ready: false,
      state: { waiting: { reason: 'CrashLoopBackOff' } },
      lastState: { terminated: { exitCode: 1, reason: 'Error' } },
    });
  });
});

function statusOf(pod: Pod, records: ContainerRecord[]) {
  return podStatus({
    pod,
    records,
    sandboxReady: true,
    podIp: '10.244.1.2',
    hostIp: '192.168.1.10',
    startedAtMs: NOW,
    nowMs: NOW,
    runtimeName: 'podwire',
  });
}

function condition(pod: Pod, records: ContainerRecord[], type: string) {
  return statusOf(pod, records).conditions?.find((c) => c.type === type);
}

describe('status', () => {
  test('of a new pod: Pending, ContainerCreating', () => {
    const pod = podOf({});
    const status = statusOf(pod, createRecords(pod));
    expect(status.phase).toBe('Pending');
    expect(status.containerStatuses![0]).toMatchObject({
      started: false,
      state: { waiting: { reason: 'ContainerCreating' } },
    });
    expect(status.qosClass).toBe('BestEffort');
  });

  test('of one with init containers: PodInitializing, not Initialized', () => {
    const pod = podOf({ init: ['a'] });
    const records = createRecords(pod);
    expect(statusOf(pod, records).containerStatuses![0]!.state).toEqual({ waiting: { reason: 'PodInitializing' } });
    expect(condition(pod, records, 'Initialized')).toMatchObject({
      status: 'False',
      message: 'containers with incomplete status: [a]',
    });
  });

  test('of a running pod: Ready once all containers are', () => {
    const pod = podOf({ app: ['web', 'log'] });
    const records = createRecords(pod);
    run(records[0]!);
    run(records[1]!);
    records[1]!.ready = false;
    expect(condition(pod, records, 'Ready')).toMatchObject({
      status: 'False',
      reason: 'ContainersNotReady',
      message: 'containers with unready status: [log]',
    });
    records[1]!.ready = true;
    expect(condition(pod, records, 'Ready')?.status).toBe('True');
    expect(statusOf(pod, records)).toMatchObject({ phase: 'Running', podIP: '10.244.1.2', hostIP: '192.168.1.10' });
  });

  test('a readiness gate holds Ready back, not ContainersReady', () => {
    const pod = podOf({});
    pod.spec!.readinessGates = [{ conditionType: 'example.com/gate' }];
    const records = createRecords(pod);
    run(records[0]!);
    expect(condition(pod, records, 'Ready')).toMatchObject({ status: 'False', reason: 'ReadinessGatesNotReady' });
    expect(condition(pod, records, 'ContainersReady')?.status).toBe('True');
    pod.status = { conditions: [{ type: 'example.com/gate', status: 'True' }] };
    expect(condition(pod, records, 'Ready')?.status).toBe('True');
  });

  test('a condition keeps its time until it changes', () => {
    const pod = podOf({});
    const records = createRecords(pod);
    const before = '2020-01-01T00:00:00Z';
    pod.status = { conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: before }] };
    expect(condition(pod, records, 'Ready')?.lastTransitionTime).toBe(before);
    run(records[0]!);
    expect(condition(pod, records, 'Ready')?.lastTransitionTime).toBe('2026-01-31T08:00:00Z');
  });

  test('a completed pod is not ready, with the reason', () => {
    const pod = podOf({ restartPolicy: 'Never' });
    const records = createRecords(pod);
    run(records[0]!);
    exit(records[0]!, 0);
    expect(condition(pod, records, 'Ready')).toMatchObject({ status: 'False', reason: 'PodCompleted' });
  });
});

describe('ephemeral containers', () => {
  const debugged = (): Pod => {
    const pod = podOf({ init: ['a'], restartPolicy: 'Never' });
    pod.spec!.ephemeralContainers = [{ name: 'debug' }];
    return pod;
  };

  test('one starts at once, whatever the init containers do, and is never started again', () => {
    const pod = debugged();
    const records = createRecords(pod);
    const debug = records[2]!;
    expect(shown(view(pod, records))).toEqual(['start debug', 'start a']);
    run(debug);
    exit(debug, 1);
    expect(shown(view(pod, records))).toEqual(['start a']);
  });

  test('has a status of its own, and decides neither readiness nor the phase', () => {
    const pod = debugged();
    const records = createRecords(pod);
    const [a, web, debug] = records as [ContainerRecord, ContainerRecord, ContainerRecord];
    exit(a, 0);
    run(web);
    run(debug);
    exit(debug, 1);
    expect(condition(pod, records, 'Ready')).toMatchObject({ status: 'True' });
    expect(statusOf(pod, records)).toMatchObject({
      containerStatuses: [{ name: 'web' }],
      initContainerStatuses: [{ name: 'a' }],
      ephemeralContainerStatuses: [{ name: 'debug', ready: false, state: { terminated: { exitCode: 1 } } }],
    });
    exit(web, 0);
    expect(phaseOf(view(pod, records))).toBe('Succeeded');
  });

  test('one that still runs when the pod ends is stopped with it', () => {
    const pod = debugged();
    const records = createRecords(pod);
    exit(records[0]!, 0);
    exit(records[1]!, 0);
    run(records[2]!);
    expect(shown(view(pod, records))).toEqual(['stop debug']);
  });
});

describe('after a node restart', () => {
  const running = { running: { startedAt: '2026-01-31T07:00:00Z' } };
  const completed = {
    terminated: { exitCode: 0, startedAt: '2026-01-31T07:00:00Z', finishedAt: '2026-01-31T07:00:01Z' },
  };

  test('what ran is started again, with one more restart; init containers run again', () => {
    const pod = podOf({ init: ['a'] });
    pod.status = {
      phase: 'Running',
      initContainerStatuses: [{ name: 'a', image: '', imageID: '', ready: true, restartCount: 0, state: completed }],
      containerStatuses: [{ name: 'web', image: '', imageID: '', ready: true, restartCount: 2, state: running }],
    };
    const records = restoreRecords(pod, NOW);
    expect(shown(view(pod, records, { sandbox: 'none' }))).toEqual(['create-sandbox']);
    expect(shown(view(pod, records))).toEqual(['start a']);
    exit(records[0]!, 0);
    expect(shown(view(pod, records))).toEqual(['start web']);
    expect(phaseOf(view(pod, records))).toBe('Running');
    run(records[1]!);
    expect(statusOf(pod, records).containerStatuses![0]).toMatchObject({
      restartCount: 3,
      lastState: { terminated: { exitCode: 255, reason: 'Unknown' } },
    });
  });

  test('what had ended stays ended', () => {
    const pod = podOf({ restartPolicy: 'Never' });
    pod.status = {
      phase: 'Succeeded',
      containerStatuses: [{ name: 'web', image: '', imageID: '', ready: false, restartCount: 0, state: completed }],
    };
    const records = restoreRecords(pod, NOW);
    expect(hasEnded({ pod, records })).toBe(true);
    expect(shown(view(pod, records, { sandbox: 'none' }))).toEqual([]);
  });
});
