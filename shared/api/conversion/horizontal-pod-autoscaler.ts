/**
 * Autoscalers in their two versions, v2 (stored) and v1. What v1 has no field for travels in the annotations that the
 * original uses, so that a v1 client's update loses nothing.
 */
import { fieldAt, isJsonObject, type JsonObject, type KubeObject } from '../object.ts';

const METRICS_ANNOTATION = 'autoscaling.alpha.kubernetes.io/metrics';
const CURRENT_METRICS_ANNOTATION = 'autoscaling.alpha.kubernetes.io/current-metrics';
const CONDITIONS_ANNOTATION = 'autoscaling.alpha.kubernetes.io/conditions';
const BEHAVIOR_ANNOTATION = 'autoscaling.alpha.kubernetes.io/behavior';
const ANNOTATIONS = [METRICS_ANNOTATION, CURRENT_METRICS_ANNOTATION, CONDITIONS_ANNOTATION, BEHAVIOR_ANNOTATION];

function isCpuUtilization(metric: unknown): boolean {
  return (
    fieldAt(metric, 'type') === 'Resource' &&
    fieldAt(metric, 'resource', 'name') === 'cpu' &&
    fieldAt(metric, 'resource', 'target', 'type') === 'Utilization'
  );
}

export function autoscalerToV1(autoscaler: KubeObject): KubeObject {
  const { metrics, behavior, ...spec } = objectAt(autoscaler.spec);
  const { currentMetrics, conditions, ...status } = objectAt(autoscaler.status);
  const cpu = listAt(metrics).find(isCpuUtilization);
  const currentCpu = listAt(currentMetrics).find((metric) => fieldAt(metric, 'resource', 'name') === 'cpu');
  const kept: [string, unknown][] = [
    [METRICS_ANNOTATION, listAt(metrics).filter((metric) => metric !== cpu)],
    [CURRENT_METRICS_ANNOTATION, listAt(currentMetrics).filter((metric) => metric !== currentCpu)],
    [CONDITIONS_ANNOTATION, listAt(conditions)],
    [BEHAVIOR_ANNOTATION, behavior],
  ];
  const annotations: Record<string, string> = { ...autoscaler.metadata.annotations };
  for (const [name, value] of kept) {
    if (value !== undefined && !(Array.isArray(value) && value.length === 0)) annotations[name] = JSON.stringify(value);
  }
  const target = fieldAt(cpu, 'resource', 'target', 'averageUtilization');
  const current = fieldAt(currentCpu, 'resource', 'current', 'averageUtilization');
  return {
    ...autoscaler,
    apiVersion: 'autoscaling/v1',
    metadata: withAnnotations(autoscaler.metadata, annotations),
    spec: { ...spec, ...(target === undefined ? {} : { targetCPUUtilizationPercentage: target }) },
    status: { ...status, ...(current === undefined ? {} : { currentCPUUtilizationPercentage: current }) },
  };
}

export function autoscalerToV2(autoscaler: KubeObject): KubeObject {
  const { targetCPUUtilizationPercentage: target, ...spec } = objectAt(autoscaler.spec);
  const { currentCPUUtilizationPercentage: current, ...status } = objectAt(autoscaler.status);
  const annotations: Record<string, string> = { ...autoscaler.metadata.annotations };
  const [metrics, currentMetrics, conditions, behavior] = ANNOTATIONS.map((name) => readAnnotation(annotations[name]));
  for (const name of ANNOTATIONS) delete annotations[name];
  const cpu = {
    type: 'Resource',
    resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: target } },
  };
  const currentCpu = { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: current } } };
  const allMetrics = [...listAt(metrics), ...(target === undefined ? [] : [cpu])];
  const allCurrent = [...listAt(currentMetrics), ...(current === undefined ? [] : [currentCpu])];
  return {
    ...autoscaler,
    apiVersion: 'autoscaling/v2',
    metadata: withAnnotations(autoscaler.metadata, annotations),
    spec: {
      ...spec,
      ...(allMetrics.length === 0 ? {} : { metrics: allMetrics }),
      ...(isJsonObject(behavior) ? { behavior } : {}),
    },
    status: {
      ...status,
      ...(allCurrent.length === 0 ? {} : { currentMetrics: allCurrent }),
      ...(Array.isArray(conditions) ? { conditions } : {}),
    },
  };
}

function withAnnotations(
  metadata: KubeObject['metadata'],
  annotations: Record<string, string>,
): KubeObject['metadata'] {
  const { annotations: _, ...rest } = metadata;
  return Object.keys(annotations).length === 0 ? rest : { ...rest, annotations };
}

/** Users can write annotations: one that is no JSON is as good as absent. */
function readAnnotation(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function objectAt(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

function listAt(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
