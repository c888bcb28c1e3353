/** What the HorizontalPodAutoscaler watches, and what it remembers of the last minutes. */
import type { Deployment, ReplicaSet, StatefulSet } from 'kubernetes-types/apps/v1.js';
import type { HorizontalPodAutoscaler } from 'kubernetes-types/autoscaling/v2.js';
import type { Pod, ReplicationController } from 'kubernetes-types/core/v1.js';
import { labelSelectorMatches, selectorFromLabels, selectorFromObject } from '../../../shared/api/label-selector.ts';
import type { Live } from '../../../shared/api/live.ts';
import {
  DEPLOYMENTS,
  HORIZONTALPODAUTOSCALERS,
  PODS,
  REPLICASETS,
  REPLICATIONCONTROLLERS,
  STATEFULSETS,
} from '../../../shared/api/resources.ts';
import type { ApiClient } from '../../../shared/bus/api-client.ts';
import type { Clock } from '../../../shared/runtime/clock.ts';
import { type Controller, keyOf, keysFrom, splitKey } from '../controller.ts';
import type { Informers } from '../informers.ts';
import {
  type AutoscalerState,
  recommendedReplicas,
  reconcileAutoscaler,
  type ScaleTarget,
} from './autoscaling/autoscaler.ts';
import { podUsage } from './autoscaling/measured-usage.ts';
import type { PastChange, PastScale, ScalingHistory } from './autoscaling/scaling-limits.ts';

/** Pods start and change in bursts. */
const GATHER_MS = 200;
/** The longest window and period that `spec.behavior` may name. */
const REMEMBERED_MS = 3_600_000;
const MAX_REMEMBERED = 1000;
const SCALED = [DEPLOYMENTS, REPLICASETS, STATEFULSETS, REPLICATIONCONTROLLERS];

type Scaled = Live<Deployment | ReplicaSet | StatefulSet | ReplicationController>;

export function autoscalingController(informers: Informers, clock: Clock, api: ApiClient): Controller<AutoscalerState> {
  const autoscalers = informers.of<Live<HorizontalPodAutoscaler>>(HORIZONTALPODAUTOSCALERS);
  const pods = informers.of<Live<Pod>>(PODS);
  const inNamespace = ({ metadata }: Live<object>): string[] => autoscalers.list(metadata.namespace).map(keyOf);
  const memories = new Map<string, Memory>();
  return {
    name: 'horizontal-pod-autoscaler',
    gatherMs: GATHER_MS,
    sources: [
      keysFrom(autoscalers, (autoscaler) => [keyOf(autoscaler)]),
      keysFrom(pods, inNamespace),
      ...SCALED.map((resource) => keysFrom(informers.of<Scaled>(resource), inNamespace)),
    ],
    async gather(key) {
      const { namespace, name } = splitKey(key);
      const autoscaler = autoscalers.get(name, namespace);
      if (autoscaler === undefined) {
        memories.delete(key);
        return undefined;
      }
      const target = targetOf(informers, autoscaler, pods.list(namespace));
      const memory = memories.get(key) ?? new Memory();
      memories.set(key, memory);
      const resources = (autoscaler.spec.metrics ?? []).flatMap(({ resource }) => resource?.name ?? []);
      const usageOf = await podUsage(api, namespace, target?.pods ?? [], resources);
      if (target !== undefined) {
        memory.note(target.wanted, recommendedReplicas(autoscaler, target, usageOf), clock.nowMs());
      }
      return { autoscaler, target, history: memory, usageOf };
    },
    reconcile: reconcileAutoscaler,
  };
}

function targetOf(
  informers: Informers,
  { spec, metadata }: Live<HorizontalPodAutoscaler>,
  pods: readonly Live<Pod>[],
): ScaleTarget | undefined {
  const { kind, name } = spec.scaleTargetRef;
  const resource = SCALED.find((candidate) => candidate.kind === kind);
  const object = resource === undefined ? undefined : informers.of<Scaled>(resource).get(name, metadata.namespace);
  if (resource === undefined || object === undefined) return undefined;
  const selector = selectorOf(object);
  return {
    resource,
    name,
    wanted: object.spec.replicas ?? 1,
    present: object.status?.replicas ?? 0,
    pods: pods.filter((pod) => selector !== undefined && labelSelectorMatches(selector, pod.metadata.labels)),
  };
}

/** A ReplicationController has plain labels where the others have a selector. */
function selectorOf({ spec: { selector } }: Scaled): ReturnType<typeof selectorFromObject> {
  if (selector === undefined) return undefined;
  const isObject = 'matchLabels' in selector || 'matchExpressions' in selector;
  return isObject ? selectorFromObject(selector) : selectorFromLabels(selector as Record<string, string>);
}

/** What was called for and what was done lately. */
class Memory implements ScalingHistory {
  readonly recommendations: PastScale[] = [];
  readonly changes: PastChange[] = [];
  private last: number | undefined;

  note(wanted: number, recommended: number | undefined, atMs: number): void {
    if (this.last !== undefined && this.last !== wanted) this.changes.push({ atMs, from: this.last, replicas: wanted });
    this.last = wanted;
    if (recommended !== undefined) this.recommendations.push({ atMs, replicas: recommended });
    for (const list of [this.changes, this.recommendations]) forget(list, atMs - REMEMBERED_MS);
  }
}

function forget(list: PastScale[], beforeMs: number): void {
  while (list.length > MAX_REMEMBERED || (list[0]?.atMs ?? Number.POSITIVE_INFINITY) < beforeMs) list.shift();
}
