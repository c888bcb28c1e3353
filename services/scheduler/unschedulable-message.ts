/** Why a pod stays Pending, in the words of kubectl's events. */
import type { Refusal } from './filters/filter.ts';

/** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) ...`; `refusals` holds the reasons of each node. */
export function unschedulableMessage(nodeCount: number, refusals: readonly (readonly Refusal[])[]): string {
  if (nodeCount === 0) return 'no nodes available to schedule pods';
  const counts = new Map<string, number>();
  for (const { reason } of refusals.flat()) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return `0/${nodeCount} nodes are available: ${countsText(counts)}. ${preemptionText(nodeCount, refusals)}`;
}

function countsText(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(', ');
}

/** This scheduler knows no priorities that would let a pod push others out: it says what the original says then. */
function preemptionText(nodeCount: number, refusals: readonly (readonly Refusal[])[]): string {
  const helpful = refusals.filter((reasons) => reasons.every(({ preemptable }) => preemptable)).length;
  const counts = new Map<string, number>();
  if (helpful > 0) counts.set('No preemption victims found for incoming pod', helpful);
  if (nodeCount > helpful) counts.set('Preemption is not helpful for scheduling', nodeCount - helpful);
  return `preemption: 0/${nodeCount} nodes are available: ${countsText(counts)}.`;
}
