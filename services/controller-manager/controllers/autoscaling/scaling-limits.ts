/** How far and how fast an autoscaler goes: stabilization windows, policies, the range (`spec.behavior`). */
import type { HorizontalPodAutoscaler, HPAScalingPolicy, HPAScalingRules } from 'kubernetes-types/autoscaling/v2.js';
import type { Live } from '../../../../shared/api/live.ts';

/** A number of pods at a time: what metrics called for, or what the target was scaled to (`from` what). */
export interface PastScale {
  readonly atMs: number;
  readonly replicas: number;
}

export interface PastChange extends PastScale {
  readonly from: number;
}

export interface ScalingHistory {
  readonly recommendations: readonly PastScale[];
  readonly changes: readonly PastChange[];
}

export interface LimitedScale {
  readonly replicas: number;
  /** The window kept it from going as low, or as high, as the metrics call for. */
  readonly stabilized: 'down' | 'up' | undefined;
  readonly limited: { readonly reason: string; readonly message: string } | undefined;
}

const DEFAULT_UP: HPAScalingRules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
};
const DEFAULT_DOWN: HPAScalingRules = {
  stabilizationWindowSeconds: 300,
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
};

export function limitScale(
  { spec }: Live<HorizontalPodAutoscaler>,
  current: number,
  wanted: number,
  history: ScalingHistory,
  nowMs: number,
): LimitedScale {
  const up = { ...DEFAULT_UP, ...spec.behavior?.scaleUp };
  const down = { ...DEFAULT_DOWN, ...spec.behavior?.scaleDown };
  const stable = stabilize(current, wanted, { up, down, history, nowMs });
  const stabilized = stable > wanted ? 'down' : stable < wanted ? 'up' : undefined;
  const least = spec.minReplicas ?? 1;
  const inRange = Math.min(spec.maxReplicas, Math.max(least, stable));
  const fastest =
    inRange > current
      ? Math.min(inRange, rateLimit(up, 'up', current, history, nowMs))
      : Math.max(inRange, rateLimit(down, 'down', current, history, nowMs));
  return { replicas: fastest, stabilized, limited: limitation(stable, inRange, fastest, least) };
}

/** The lowest recommendation of the window upwards, the highest of it downwards. */
function stabilize(
  current: number,
  wanted: number,
  { up, down, history, nowMs }: { up: HPAScalingRules; down: HPAScalingRules; history: ScalingHistory; nowMs: number },
): number {
  const within = ({ stabilizationWindowSeconds = 0 }: HPAScalingRules): number[] =>
    history.recommendations
      .filter(({ atMs }) => atMs > nowMs - stabilizationWindowSeconds * 1000)
      .map(({ replicas }) => replicas);
  const lowest = Math.min(wanted, ...within(up));
  const highest = Math.max(wanted, ...within(down));
  if (current < lowest) return lowest;
  return current > highest ? highest : current;
}

function rateLimit(
  { selectPolicy, policies = [] }: HPAScalingRules,
  direction: 'up' | 'down',
  current: number,
  history: ScalingHistory,
  nowMs: number,
): number {
  if (selectPolicy === 'Disabled') return current;
  const limits = policies.map((policy) => policyLimit(policy, direction, current, history, nowMs));
  const widest = (selectPolicy === 'Min') === (direction === 'up') ? Math.min : Math.max;
  return widest(...limits);
}

function policyLimit(
  { type, value, periodSeconds }: HPAScalingPolicy,
  direction: 'up' | 'down',
  current: number,
  history: ScalingHistory,
  nowMs: number,
): number {
  const changed = history.changes
    .filter(
      ({ atMs, from, replicas }) => atMs > nowMs - periodSeconds * 1000 && replicas > from === (direction === 'up'),
    )
    .reduce((sum, { from, replicas }) => sum + replicas - from, 0);
  const atStart = current - changed;
  if (type === 'Pods') return direction === 'up' ? atStart + value : atStart - value;
  const part = direction === 'up' ? 1 + value / 100 : 1 - value / 100;
  return Math.ceil(atStart * part);
}

function limitation(stable: number, inRange: number, fastest: number, least: number): LimitedScale['limited'] {
  if (fastest > inRange) {
    const message = 'the desired replica count is decreasing faster than the maximum scale rate';
    return { reason: 'ScaleDownLimit', message };
  }
  if (fastest < inRange) {
    const message = 'the desired replica count is increasing faster than the maximum scale rate';
    return { reason: 'ScaleUpLimit', message };
  }
  if (stable > inRange) {
    const message = 'the desired replica count is more than the maximum replica count';
    return { reason: 'TooManyReplicas', message };
  }
  if (stable >= inRange) return undefined;
  const message =
    least === 0
      ? 'the desired replica count is zero'
      : 'the desired replica count is less than the minimum replica count';
  return { reason: 'TooFewReplicas', message };
}
