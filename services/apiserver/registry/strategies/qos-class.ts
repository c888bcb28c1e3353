/** Which pods go first when a node runs out of memory (Kubernetes "Pod Quality of Service Classes"). */
import type { Container, PodSpec } from 'kubernetes-types/core/v1.js';

const RESOURCES = ['cpu', 'memory'] as const;

export function qosClass(spec: PodSpec): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  if (!containers.some(asksForAnything)) return 'BestEffort';
  return containers.every(isGuaranteed) ? 'Guaranteed' : 'Burstable';
}

function asksForAnything({ resources }: Container): boolean {
  return RESOURCES.some((name) => isSet(resources?.requests?.[name]) || isSet(resources?.limits?.[name]));
}

/** Quantities are in canonical form, so that equal ones are equal texts. */
function isGuaranteed({ resources }: Container): boolean {
  return RESOURCES.every((name) => {
    const limit = resources?.limits?.[name];
    return isSet(limit) && (resources?.requests?.[name] ?? limit) === limit;
  });
}

function isSet(quantity: string | undefined): boolean {
  return quantity !== undefined && quantity !== '0';
}
