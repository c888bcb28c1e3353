/** Tables of autoscalers. */
import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus } from 'kubernetes-types/autoscaling/v2.js';
import { ageText, NONE, UNKNOWN, UNSET } from './cell-text.ts';
import { AGE_COLUMN, NAME_COLUMN, type Printer, text } from './printer.ts';

const SHOWN_METRICS = 2;

export const HORIZONTAL_POD_AUTOSCALER_PRINTER: Printer<HorizontalPodAutoscaler> = {
  columns: [
    NAME_COLUMN,
    text('Reference'),
    text('Targets'),
    text('MinPods'),
    text('MaxPods'),
    text('Replicas'),
    AGE_COLUMN,
  ],
  cells: ({ metadata, spec, status }, nowMs) => [
    metadata?.name ?? '',
    `${spec?.scaleTargetRef?.kind}/${spec?.scaleTargetRef?.name}`,
    targetsText(spec?.metrics ?? [], status?.currentMetrics ?? []),
    spec?.minReplicas === undefined ? UNSET : String(spec.minReplicas),
    String(spec?.maxReplicas ?? 0),
    String(status?.currentReplicas ?? 0),
    ageText(metadata?.creationTimestamp, nowMs),
  ],
};

function targetsText(specs: readonly MetricSpec[], statuses: readonly MetricStatus[]): string {
  if (specs.length === 0) return NONE;
  const texts = specs.map((spec, i) => metricText(spec, statuses[i]));
  if (texts.length <= SHOWN_METRICS) return texts.join(', ');
  return `${texts.slice(0, SHOWN_METRICS).join(', ')} + ${texts.length - SHOWN_METRICS} more...`;
}

/** `cpu: 10%/80%`. */
function metricText(spec: MetricSpec, status: MetricStatus | undefined): string {
  const source = spec.resource ?? spec.containerResource;
  if (source === undefined) return `${UNKNOWN}/${spec.type}`;
  const current = status?.resource?.current ?? status?.containerResource?.current;
  if (source.target.averageValue !== undefined) {
    return `${source.name}: ${current?.averageValue ?? UNKNOWN}/${source.target.averageValue}`;
  }
  const utilization = current?.averageUtilization === undefined ? UNKNOWN : `${current.averageUtilization}%`;
  const wanted = source.target.averageUtilization === undefined ? '<auto>' : `${source.target.averageUtilization}%`;
  return `${source.name}: ${utilization}/${wanted}`;
}
