/** What a pod asks of a node: the larger of its containers' sum and its biggest init container, plus overhead. */
import type { Container, PodSpec } from 'kubernetes-types/core/v1.js';
import { parseQuantity, quantityMilli, quantityValue } from '../../shared/api/quantity.ts';

/** Amounts by resource name: `cpu` in thousandths of a core, everything else in whole units (bytes, pieces). */
export type ResourceAmounts = Readonly<Record<string, number>>;

type Quantities = Readonly<Record<string, unknown>>;

export function amountsOf(quantities: Quantities | undefined): Record<string, number> {
  const amounts: Record<string, number> = {};
  for (const [name, text] of Object.entries(quantities ?? {})) {
    const quantity = parseQuantity(String(text));
    if (quantity !== undefined) amounts[name] = name === 'cpu' ? quantityMilli(quantity) : quantityValue(quantity);
  }
  return amounts;
}

export function podRequest(spec: PodSpec): ResourceAmounts {
  const total: Record<string, number> = {};
  for (const container of spec.containers) add(total, requestOf(container));
  const sidecars: Record<string, number> = {};
  for (const container of spec.initContainers ?? []) {
    if (container.restartPolicy === 'Always') {
      add(sidecars, requestOf(container));
      add(total, requestOf(container));
    } else {
      const during = { ...sidecars };
      add(during, requestOf(container));
      for (const [name, amount] of Object.entries(during)) total[name] = Math.max(total[name] ?? 0, amount);
    }
  }
  add(total, amountsOf(spec.overhead));
  return total;
}

function requestOf(container: Container): ResourceAmounts {
  return { ...amountsOf(container.resources?.limits), ...amountsOf(container.resources?.requests) };
}

function add(sum: Record<string, number>, more: ResourceAmounts): void {
  for (const [name, amount] of Object.entries(more)) sum[name] = (sum[name] ?? 0) + amount;
}
