/** What a pod requests, for autoscalers. */
import type { Container, Pod } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../../shared/api/live.ts';
import { milliOf } from '../../../../shared/api/pod-usage.ts';

/** The sum of what the containers request; a container without a request is named instead. */
export function requestMilli({ spec }: Live<Pod>, resource: string): number | { readonly missingIn: string } {
  let sum = 0;
  for (const container of spec.containers) {
    const requested = milliOf(quantityText(container, resource));
    if (requested === undefined) return { missingIn: container.name };
    sum += requested;
  }
  return sum;
}

function quantityText({ resources }: Container, resource: string): string | undefined {
  return resources?.requests?.[resource] ?? resources?.limits?.[resource];
}
