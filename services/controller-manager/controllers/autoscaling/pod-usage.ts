/**
 * What a pod uses, for autoscalers. Programs of emulated pods share the node-agent's process, so nothing can be measured: a
 * pod's annotations say what it is to use, `podwire.dev/cpu: 250m` and `podwire.dev/memory: 64Mi`; without them, nothing.
 */
import type { Container, Pod } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../../shared/api/live.ts';
import { parseQuantity, quantityMilli } from '../../../../shared/api/quantity.ts';

const PREFIX = 'podwire.dev/';

/** Thousandths: of a core, of a byte. */
export function usageMilli({ metadata }: Live<Pod>, resource: string): number {
  return milli(metadata.annotations?.[`${PREFIX}${resource}`]) ?? 0;
}

/** The sum of what the containers request; a container without a request is named instead. */
export function requestMilli({ spec }: Live<Pod>, resource: string): number | { readonly missingIn: string } {
  let sum = 0;
  for (const container of spec.containers) {
    const requested = milli(quantityText(container, resource));
    if (requested === undefined) return { missingIn: container.name };
    sum += requested;
  }
  return sum;
}

function quantityText({ resources }: Container, resource: string): string | undefined {
  return resources?.requests?.[resource] ?? resources?.limits?.[resource];
}

/** undefined for what is no quantity. */
export function milli(text: string | undefined): number | undefined {
  const quantity = text === undefined ? undefined : parseQuantity(text);
  return quantity === undefined ? undefined : quantityMilli(quantity);
}
