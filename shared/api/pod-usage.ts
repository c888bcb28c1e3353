/**
 * What a pod says that it uses: its annotations `podwire.dev/cpu: 250m` and `podwire.dev/memory: 64Mi`. Programs of emulated pods
 * share the node-agent's process, so that little can be measured, and a test wants to choose the load.
 */
import type { Pod } from 'kubernetes-types/core/v1.js';
import { parseQuantity, quantityMilli } from './quantity.ts';

const PREFIX = 'podwire.dev/';

/** Thousandths: of a core, of a byte; undefined for a pod that does not say. */
export function saidUsageMilli({ metadata }: Pick<Pod, 'metadata'>, resource: string): number | undefined {
  return milliOf(metadata?.annotations?.[`${PREFIX}${resource}`]);
}

/** undefined for what is no quantity. */
export function milliOf(text: string | undefined): number | undefined {
  const quantity = text === undefined ? undefined : parseQuantity(text);
  return quantity === undefined ? undefined : quantityMilli(quantity);
}
