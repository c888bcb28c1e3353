import type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerSpec,
  HPAScalingRules,
} from 'kubernetes-types/autoscaling/v2.js';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { describe, expect, it } from 'vitest';
import type { Live } from '../../../../shared/api/live.ts';
import { DEPLOYMENTS } from '../../../../shared/api/resources.ts';
import { at, meta, NOW_MS, pod, summary } from '../../objects.testkit.ts';
import { reconcileAutoscaler, type ScaleTarget } from './autoscaler.ts';
import { type PodMetrics, usageFrom } from './measured-usage.ts';
import { limitScale, type PastChange, type PastScale, type ScalingHistory } from './scaling-limits.ts';

const NEVER: ScalingHistory = { recommendations: [], changes: [] };

function autoscaler(more: Partial<HorizontalPodAutoscalerSpec> = {}): Live<HorizontalPodAutoscaler> {
  return {
    metadata: meta('web'),
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      minReplicas: 1,
      maxReplicas: 10,
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
      ],
      ...more,
    },
  };
}

const byValue: Partial<HorizontalPodAutoscalerSpec> = {
  metrics: [{ type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '64Mi' } } }],
};

/** Pods with a request of 200m that use as much as is said. */
function using(amounts: readonly string[], more: { ready?: boolean; resource?: string } = {}): Live<Pod>[] {
  const { ready = true, resource = 'cpu' } = more;
  const containers = [{ name: 'c', resources: { requests: { cpu: '200m' } } }];
  return amounts.map((amount, i) =>
    pod(`web-${resource}-${ready}-${i}`, {
      ready,
      meta: { annotations: { [`podwire.dev/${resource}`]: amount } },
      spec: { containers },
    }),
  );
}

function target(pods: readonly Live<Pod>[], wanted = pods.length): ScaleTarget {
  return { resource: DEPLOYMENTS, name: 'web', wanted, present: wanted, pods };
}

function outcome(
  of: Live<HorizontalPodAutoscaler>,
  on: ScaleTarget | undefined,
  history = NEVER,
  metrics: readonly PodMetrics[] = [],
) {
  return reconcileAutoscaler({ autoscaler: of, target: on, history, usageOf: usageFrom(metrics) }, NOW_MS);
}

/** What the target is scaled to; undefined when it is left alone. */
function scaledTo(of: Live<HorizontalPodAutoscaler>, on: ScaleTarget): number | undefined {
  const patch = outcome(of, on).actions.find(({ kind }) => kind === 'patch');
  return patch?.kind === 'patch' ? (patch.body as { spec: { replicas: number } }).spec.replicas : undefined;
}

function statusAfter(of: Live<HorizontalPodAutoscaler>, on: ScaleTarget | undefined) {
  const update = outcome(of, on).actions.find(({ kind }) => kind === 'update-status');
  return update?.kind === 'update-status' ? (update.object as HorizontalPodAutoscaler).status : undefined;
}

describe('HorizontalPodAutoscaler', () => {
  it.each([
    ['at its target: nothing', autoscaler(), target(using(['100m', '100m'])), undefined],
    ['within a tenth of it: nothing', autoscaler(), target(using(['109m', '109m'])), undefined],
    ['above: more', autoscaler(), target(using(['200m', '200m'])), 4],
    ['rounded up', autoscaler(), target(using(['120m', '120m'])), 3],
    ['below: fewer', autoscaler(), target(using(['50m', '50m', '50m', '50m'])), 2],
    ['never fewer than the least', autoscaler({ minReplicas: 3 }), target(using(['0', '0', '0', '0'])), 3],
    ['nor more than the most', autoscaler({ maxReplicas: 3 }), target(using(['200m', '200m'])), 3],
    ['more by an average value', autoscaler(byValue), target(using(['128Mi', '128Mi'], { resource: 'memory' })), 4],
    [
      'of two metrics the larger',
      autoscaler({ metrics: [...(autoscaler().spec.metrics ?? []), ...(byValue.metrics ?? [])] }),
      target(using(['200m', '200m'])),
      4,
    ],
    [
      'a pod that is not ready uses nothing',
      autoscaler(),
      target([...using(['200m']), ...using(['200m'], { ready: false })]),
      undefined,
    ],
    ['nothing for a target of none', autoscaler(), target([], 0), undefined],
  ])('%s', (_, of, on, expected) => {
    expect(scaledTo(of, on)).toBe(expected);
  });

  it('tells what it did, and what it saw', () => {
    const { actions, requeueAfterMs } = outcome(autoscaler(), target(using(['200m', '200m'])));
    expect(summary(actions)).toEqual([
      'patch deployments web',
      'event SuccessfulRescale',
      'update-status horizontalpodautoscalers web',
    ]);
    expect(actions[1]).toMatchObject({
      message: 'New size: 4; reason: cpu resource utilization (percentage of request) above target',
    });
    expect(requeueAfterMs).toBe(15_000);
    expect(statusAfter(autoscaler(), target(using(['200m', '200m'])))).toMatchObject({
      currentReplicas: 2,
      desiredReplicas: 4,
      lastScaleTime: at(0),
      currentMetrics: [
        { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 100, averageValue: '200m' } } },
      ],
      conditions: [
        { type: 'AbleToScale', status: 'True', reason: 'SucceededRescale' },
        { type: 'ScalingActive', status: 'True', reason: 'ValidMetricFound' },
        { type: 'ScalingLimited', status: 'False', reason: 'DesiredWithinRange' },
      ],
    });
  });

  it('says what is missing', () => {
    const greedy = pod('web-1', { meta: { annotations: { 'podwire.dev/cpu': '1' } } });
    expect(statusAfter(autoscaler(), target([greedy]))?.conditions).toMatchObject([
      { type: 'AbleToScale', status: 'True' },
      {
        type: 'ScalingActive',
        reason: 'FailedGetResourceMetric',
        message:
          'the HPA was unable to compute the replica count: failed to get cpu utilization: missing request for cpu in container c of Pod web-1',
      },
    ]);
    expect(summary(outcome(autoscaler(), undefined).actions)).toEqual([
      'event FailedGetScale',
      'update-status horizontalpodautoscalers web',
    ]);
    expect(statusAfter(autoscaler(), target([], 0))?.conditions).toMatchObject([{ reason: 'ScalingDisabled' }]);
  });

  it('does nothing when the status is true', () => {
    const on = target(using(['100m']));
    const of = { ...autoscaler(), status: statusAfter(autoscaler(), on) };
    expect(outcome(of, on).actions).toEqual([]);
  });
});

describe('scaling limits', () => {
  const seen = (secondsAgo: number, replicas: number): PastScale => ({ atMs: NOW_MS - secondsAgo * 1000, replicas });
  const done = (secondsAgo: number, from: number, replicas: number): PastChange => ({
    ...seen(secondsAgo, replicas),
    from,
  });
  const slow: HPAScalingRules = { policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }] };

  it.each([
    ['down only to the highest of five minutes', {}, 8, 2, { recommendations: [seen(200, 5), seen(400, 9)] }, 5],
    [
      'at once without a window',
      { scaleDown: { stabilizationWindowSeconds: 0 } },
      8,
      2,
      { recommendations: [seen(200, 5)] },
      2,
    ],
    ['up at once', {}, 2, 5, { recommendations: [seen(10, 2)] }, 5],
    [
      'up to the lowest of a window',
      { scaleUp: { stabilizationWindowSeconds: 60 } },
      2,
      9,
      { recommendations: [seen(10, 4)] },
      4,
    ],
    ['by default no faster than four more, or twice as many', {}, 2, 10, {}, 6],
    ['counting what was done in the period', {}, 6, 10, { changes: [done(5, 2, 6)] }, 6],
    ['and not what was done before it', {}, 6, 10, { changes: [done(20, 2, 6)] }, 10],
    ['a pod a minute', { scaleUp: slow }, 2, 9, {}, 3],
    ['a pod a minute less', { scaleDown: { ...slow, stabilizationWindowSeconds: 0 } }, 9, 2, {}, 8],
    ['not at all', { scaleDown: { selectPolicy: 'Disabled', stabilizationWindowSeconds: 0 } }, 9, 2, {}, 9],
  ])('%s', (_, behavior, current, wanted, history, expected) => {
    const of = autoscaler({ behavior });
    expect(limitScale(of, current, wanted, { ...NEVER, ...history }, NOW_MS).replicas).toBe(expected);
  });
});

describe('pods that do not say what they use', () => {
  const silent = ['a', 'b'].map((name) =>
    pod(name, { spec: { containers: [{ name: 'c', resources: { requests: { cpu: '200m' } } }] } }),
  );
  const measured = (name: string, ...cpu: string[]): PodMetrics => ({
    metadata: { name },
    timestamp: at(0),
    window: '5.000s',
    containers: cpu.map((amount) => ({ usage: { cpu: amount } })),
  });

  it('are measured', () => {
    const metrics = [measured('a', '150000000n', '50m'), measured('b', '200m')];
    const { actions } = outcome(autoscaler(), target(silent), NEVER, metrics);
    expect(actions).toContainEqual(expect.objectContaining({ kind: 'patch', body: { spec: { replicas: 4 } } }));
  });

  it('count since they are ready', () => {
    const fresh = silent.map((one) => pod(one.metadata.name, { readySince: -3, spec: one.spec }));
    const { actions } = outcome(autoscaler(), target(fresh), NEVER, [measured('a', '1'), measured('b', '1')]);
    expect(actions.some(({ kind }) => kind === 'patch')).toBe(false);
  });

  it('are left alone while there is no figure', () => {
    const { actions } = outcome(autoscaler(), target(silent));
    expect(actions.some(({ kind }) => kind === 'patch')).toBe(false);
    expect(actions).toContainEqual(
      expect.objectContaining({
        reason: 'FailedGetResourceMetric',
        message:
          'failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API',
      }),
    );
  });
});
