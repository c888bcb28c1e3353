/** Defaults of autoscaling kinds. */
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
