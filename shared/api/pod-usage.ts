/**
 * What a pod uses. Programs of emulated pods share the node-agent's process, so nothing can be measured: a pod's annotations
 * say what it is to use, `podwire.dev/cpu: 250m` and `podwire.dev/memory: 64Mi`; without them, nothing.
 */
import type { Pod } from 'kubernetes-types/core/v1.js';
import { parseQuantity, quantityMilli } from './quantity.ts';

const PREFIX = 'podwire.dev/';

/** Thousandths: of a core, of a byte. */
export function usageMilli({ metadata }: Pick<Pod, 'metadata'>, resource: string): number {
  return milliOf(metadata?.annotations?.[`${PREFIX}${resource}`]) ?? 0;
}

/** undefined for what is no quantity. */
export function milliOf(text: string | undefined): number | undefined {
  const quantity = text === undefined ? undefined : parseQuantity(text);
  return quantity === undefined ? undefined : quantityMilli(quantity);
}
