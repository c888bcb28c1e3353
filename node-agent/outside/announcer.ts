/**
 * Which node answers for a Service's LoadBalancer address: every node comes to the same answer by itself, one node's death
 * moves only what it had, and under the policy Local only nodes with a ready endpoint count (as MetalLB's layer 2 mode).
 * Pure.
 */
import type { Service } from 'kubernetes-types/core/v1.d.ts';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.d.ts';

const SERVICE_NAME = 'kubernetes.io/service-name';

export interface AnnouncerState {
  readonly readyNodes: readonly string[];
  readonly slices: readonly EndpointSlice[];
}

export function announcerOf(service: Service, { readyNodes, slices }: AnnouncerState): string | undefined {
  const key = `${service.metadata?.namespace}/${service.metadata?.name}`;
  const isLocal = service.spec?.externalTrafficPolicy === 'Local';
  const withEndpoint = isLocal ? nodesWithEndpoint(service, slices) : undefined;
  let chosen: string | undefined;
  let highest = -1;
  for (const node of [...readyNodes].sort()) {
    if (withEndpoint !== undefined && !withEndpoint.has(node)) continue;
    const score = hash(`${node} ${key}`);
    if (score <= highest) continue;
    highest = score;
    chosen = node;
  }
  return chosen;
}

function nodesWithEndpoint({ metadata }: Service, slices: readonly EndpointSlice[]): ReadonlySet<string> {
  const own = slices.filter(
    (slice) =>
      slice.metadata?.namespace === metadata?.namespace && slice.metadata?.labels?.[SERVICE_NAME] === metadata?.name,
  );
  const ready = own.flatMap(({ endpoints }) => endpoints).filter(({ conditions }) => conditions?.ready !== false);
  return new Set(ready.flatMap(({ nodeName }) => nodeName ?? []));
}

/** FNV-1a with a final mix, so that the last characters count as much as the first. */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193);
  state = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
  state = Math.imul(state ^ (state >>> 15), 0x735a2d97);
  return (state ^ (state >>> 15)) >>> 0;
}
