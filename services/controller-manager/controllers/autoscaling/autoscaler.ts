/** HorizontalPodAutoscaler: keeps as many pods as their emulated usage calls for. */
import type { HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition } from 'kubernetes-types/autoscaling/v2.js';
import type { Pod } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../../shared/api/live.ts';
import { isTerminating } from '../../../../shared/api/pod-condition.ts';
import type { ResourceRef } from '../../../../shared/api/resource.ts';
import { HORIZONTALPODAUTOSCALERS } from '../../../../shared/api/resources.ts';
import { formatTimestamp } from '../../../../shared/api/timestamp.ts';
import type { Action, Outcome } from '../../action.ts';
import { same } from '../../same.ts';
import { type NoRecommendation, type PodUsage, type Recommendation, recommend } from './recommendation.ts';
import { type LimitedScale, limitScale, type ScalingHistory } from './scaling-limits.ts';

/** What is scaled. */
export interface ScaleTarget {
  readonly resource: ResourceRef;
  readonly name: string;
  /** `spec.replicas` and `status.replicas` */
  readonly wanted: number;
  readonly present: number;
  /** Those that its selector finds. */
  readonly pods: readonly Live<Pod>[];
}

export interface AutoscalerState {
  readonly autoscaler: Live<HorizontalPodAutoscaler>;
  /** undefined when there is no such object, or it is of a kind that has no scale. */
  readonly target: ScaleTarget | undefined;
  readonly history: ScalingHistory;
  readonly usageOf: PodUsage;
}

/** The original's period; changes of pods and of the autoscaler are looked at as they come. */
const SYNC_MS = 15_000;

type Verdict = readonly [type: string, status: 'True' | 'False', reason: string, message: string];

export function reconcileAutoscaler(state: AutoscalerState, nowMs: number): Outcome {
  const { autoscaler, target } = state;
  if (isTerminating(autoscaler)) return { actions: [] };
  return {
    actions: target === undefined ? withoutTarget(autoscaler, nowMs) : scale(state, target, nowMs),
    requeueAfterMs: SYNC_MS,
  };
}

/** What the target is to have, by metrics alone: for the history. undefined when they cannot tell. */
export function recommendedReplicas(
  autoscaler: Live<HorizontalPodAutoscaler>,
  target: ScaleTarget,
  usageOf: PodUsage,
): number | undefined {
  if (target.wanted === 0) return undefined;
  const asked = recommend(autoscaler, target.wanted, target.pods, usageOf);
  return 'reason' in asked ? undefined : asked.replicas;
}

function scale({ autoscaler, history, usageOf }: AutoscalerState, target: ScaleTarget, nowMs: number): Action[] {
  if (target.wanted === 0 && (autoscaler.spec.minReplicas ?? 1) !== 0) {
    const message = 'scaling is disabled since the replica count of the target is zero';
    return writeStatus(
      autoscaler,
      { target, desired: 0 },
      [['ScalingActive', 'False', 'ScalingDisabled', message]],
      nowMs,
    );
  }
  const asked = recommend(autoscaler, target.wanted, target.pods, usageOf);
  if ('reason' in asked) return withoutMetrics(autoscaler, target, asked, nowMs);
  const limit = limitScale(autoscaler, target.wanted, asked.replicas, history, nowMs);
  const isRescaled = limit.replicas !== target.wanted;
  const facts = { target, desired: limit.replicas, asked, ...(isRescaled ? { scaledMs: nowMs } : {}) };
  return [
    ...(isRescaled ? rescale(autoscaler, target, limit.replicas, asked) : []),
    ...writeStatus(autoscaler, facts, verdicts(asked, limit, isRescaled), nowMs),
  ];
}

function rescale(
  autoscaler: Live<HorizontalPodAutoscaler>,
  { resource, name, wanted }: ScaleTarget,
  replicas: number,
  { metric }: Recommendation,
): Action[] {
  const { namespace } = autoscaler.metadata;
  const body = { spec: { replicas } };
  const reason = replicas > wanted ? `${metric} above target` : 'All metrics below target';
  return [
    { kind: 'patch', resource, name, namespace, type: 'merge', subresource: 'scale', body },
    event(autoscaler, 'Normal', 'SuccessfulRescale', `New size: ${replicas}; reason: ${reason}`),
  ];
}

function verdicts(
  { metric }: Recommendation,
  { stabilized, limited, replicas }: LimitedScale,
  isRescaled: boolean,
): Verdict[] {
  const found = `the HPA was able to successfully calculate a replica count from ${metric}`;
  return [
    able(stabilized, isRescaled, replicas),
    ['ScalingActive', 'True', 'ValidMetricFound', found],
    limited === undefined
      ? ['ScalingLimited', 'False', 'DesiredWithinRange', 'the desired count is within the acceptable range']
      : ['ScalingLimited', 'True', limited.reason, limited.message],
  ];
}

function able(stabilized: LimitedScale['stabilized'], isRescaled: boolean, replicas: number): Verdict {
  if (isRescaled) {
    return [
      'AbleToScale',
      'True',
      'SucceededRescale',
      `the HPA controller was able to update the target scale to ${replicas}`,
    ];
  }
  if (stabilized === undefined) {
    return ['AbleToScale', 'True', 'ReadyForNewScale', 'recommended size matches current size'];
  }
  const [reason, message] =
    stabilized === 'down'
      ? [
          'ScaleDownStabilized',
          'recent recommendations were higher than current one, applying the highest recent recommendation',
        ]
      : [
          'ScaleUpStabilized',
          'recent recommendations were lower than current one, applying the lowest recent recommendation',
        ];
  return ['AbleToScale', 'True', reason as string, message as string];
}

function withoutMetrics(
  autoscaler: Live<HorizontalPodAutoscaler>,
  target: ScaleTarget,
  { reason, message }: NoRecommendation,
  nowMs: number,
): Action[] {
  const text = `the HPA was unable to compute the replica count: ${message}`;
  return [
    event(autoscaler, 'Warning', reason, message),
    ...writeStatus(
      autoscaler,
      { target, desired: autoscaler.status?.desiredReplicas ?? 0 },
      [
        ['AbleToScale', 'True', 'SucceededGetScale', "the HPA controller was able to get the target's current scale"],
        ['ScalingActive', 'False', reason, text],
      ],
      nowMs,
    ),
  ];
}

function withoutTarget(autoscaler: Live<HorizontalPodAutoscaler>, nowMs: number): Action[] {
  const { kind, name } = autoscaler.spec.scaleTargetRef;
  const message = `${kind.toLowerCase()}s "${name}" not found`;
  const text = `the HPA controller was unable to get the target's current scale: ${message}`;
  return [
    event(autoscaler, 'Warning', 'FailedGetScale', message),
    ...writeStatus(autoscaler, { desired: 0 }, [['AbleToScale', 'False', 'FailedGetScale', text]], nowMs),
  ];
}

interface StatusFacts {
  readonly target?: ScaleTarget;
  readonly desired: number;
  readonly asked?: Recommendation;
  readonly scaledMs?: number;
}

function writeStatus(
  autoscaler: Live<HorizontalPodAutoscaler>,
  { target, desired, asked, scaledMs }: StatusFacts,
  found: readonly Verdict[],
  nowMs: number,
): Action[] {
  const before = autoscaler.status;
  const lastScaleTime = scaledMs === undefined ? before?.lastScaleTime : formatTimestamp(scaledMs);
  const status = {
    observedGeneration: autoscaler.metadata.generation,
    currentReplicas: target?.present ?? 0,
    desiredReplicas: desired,
    currentMetrics: asked?.current ?? null,
    conditions: found.map((verdict) => condition(before?.conditions ?? [], verdict, nowMs)),
    ...(lastScaleTime === undefined ? {} : { lastScaleTime }),
  };
  if (same(status, { ...before, currentMetrics: before?.currentMetrics ?? null })) return [];
  return [{ kind: 'update-status', resource: HORIZONTALPODAUTOSCALERS, object: { ...autoscaler, status } }];
}

function condition(
  before: readonly HorizontalPodAutoscalerCondition[],
  [type, status, reason, message]: Verdict,
  nowMs: number,
): HorizontalPodAutoscalerCondition {
  const known = before.find((one) => one.type === type);
  const lastTransitionTime = known?.status === status ? known.lastTransitionTime : formatTimestamp(nowMs);
  return { type, status, reason, message, lastTransitionTime };
}

function event(
  { metadata }: Live<HorizontalPodAutoscaler>,
  type: 'Normal' | 'Warning',
  reason: string,
  message: string,
): Action {
  const { name, namespace, uid } = metadata;
  const about = { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', name, namespace, uid };
  return { kind: 'event', about, type, reason, message };
}
