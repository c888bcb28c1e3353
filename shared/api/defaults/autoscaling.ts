/** Defaults of autoscaling kinds. */
import type { HorizontalPodAutoscaler as HorizontalPodAutoscalerV1 } from 'kubernetes-types/autoscaling/v1.js';
import type { HorizontalPodAutoscaler } from 'kubernetes-types/autoscaling/v2.js';

const DEFAULT_CPU_UTILIZATION_PERCENT = 80;

export function defaultHorizontalPodAutoscaler(autoscaler: HorizontalPodAutoscaler): void {
  const spec = autoscaler.spec;
  if (spec === undefined) return;
  spec.minReplicas ??= 1;
  spec.metrics ??= [
    {
      type: 'Resource',
      resource: {
        name: 'cpu',
        target: { type: 'Utilization', averageUtilization: DEFAULT_CPU_UTILIZATION_PERCENT },
      },
    },
  ];
}

export function defaultHorizontalPodAutoscalerV1(autoscaler: HorizontalPodAutoscalerV1): void {
  if (autoscaler.spec !== undefined) autoscaler.spec.minReplicas ??= 1;
}
