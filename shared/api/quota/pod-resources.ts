/**
 * What a pod asks for, or is limited to: the larger of its containers' sum and of each init container with the sidecars that
 * were started before it, plus the pod's overhead (Kubernetes "Init Containers", "Resource sharing within containers").
 */
import type { Container, PodSpec } from 'kubernetes-types/core/v1.js';
import type { Quantity } from '../quantity.ts';
import { addTo, amountsOf, raiseTo } from './amounts.ts';

export function podResources(spec: PodSpec, of: 'requests' | 'limits'): Map<string, Quantity> {
  const amountsIn = ({ resources }: Container) => amountsOf(resources?.[of]);
  const total = new Map<string, Quantity>();
  for (const container of spec.containers ?? []) addTo(total, amountsIn(container));
  const sidecars = new Map<string, Quantity>();
  for (const container of spec.initContainers ?? []) {
    if (container.restartPolicy === 'Always') {
      addTo(sidecars, amountsIn(container));
      addTo(total, amountsIn(container));
    } else {
      const during = new Map(sidecars);
      addTo(during, amountsIn(container));
      raiseTo(total, during);
    }
  }
  addTo(total, amountsOf(spec.overhead));
  return total;
}
