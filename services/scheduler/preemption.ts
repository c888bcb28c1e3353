/**
 * Room for a pod that fits nowhere, made by pods of lower priority (Kubernetes documentation, "Pod Priority and Preemption"): on
 * each node as few and as unimportant ones as will do, disruption budgets kept where possible, and of the nodes the one where it
 * hurts least. A function of its arguments.
 */
import type { Pod } from 'kubernetes-types/core/v1.js';
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.js';
import { objectSelectorMatches } from '../../shared/api/label-selector.ts';
import type { Live } from '../../shared/api/live.ts';
import { isTerminating } from '../../shared/api/pod-condition.ts';
import type { Placement } from './filters/filter.ts';
import { type NodeFit, refusalsIf } from './node-fit.ts';
import { type NodeInfo, type ScheduledPod, withPods } from './node-info.ts';

export interface Preemption {
  readonly nodeName: string;
  /** The pods that have to go, none when they are on their way out already. */
  readonly victims: readonly Live<Pod>[];
}

/** `text` says why no pod is to make room, in the words of the original's event. */
export type PreemptionOutcome = Preemption | { readonly text: string; readonly victimsAreLeaving?: true };

interface Candidate extends Preemption {
  /** How many victims are more than a disruption budget allows. */
  readonly violations: number;
}

const NOT_HELPFUL = 'Preemption is not helpful for scheduling';
const NO_VICTIMS = 'No preemption victims found for incoming pod';
/** The lowest priority that a pod can have: makes every victim count. */
const LOWEST_PRIORITY = -(2 ** 31);

export function priorityOf({ spec }: Live<Pod>): number {
  return spec.priority ?? 0;
}

export function preempt(
  placement: Placement,
  { refused }: NodeFit,
  budgets: readonly Live<PodDisruptionBudget>[],
): PreemptionOutcome {
  const { pod, nodes } = placement;
  if (pod.spec.preemptionPolicy === 'Never') {
    return { text: 'preemption: not eligible due to preemptionPolicy=Never.' };
  }
  if (victimsAreLeaving(placement)) {
    return {
      text: 'preemption: not eligible due to a terminating pod on the nominated node.',
      victimsAreLeaving: true,
    };
  }
  const candidates: Candidate[] = [];
  const reasons: string[] = [];
  for (const [info, refusals] of refused) {
    const helps = refusals.every(({ preemptable }) => preemptable);
    const outcome = helps ? candidateOn(placement, info, budgets) : [NOT_HELPFUL];
    if (Array.isArray(outcome)) reasons.push(...outcome);
    else candidates.push(outcome as Candidate);
  }
  const best = candidates.sort((a, b) => compareKeys(costOf(a), costOf(b)))[0];
  return best ?? { text: `preemption: 0/${nodes.length} nodes are available: ${reasonCounts(reasons)}.` };
}

/** `1 Insufficient cpu, 2 node(s) ...` */
export function reasonCounts(reasons: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(', ');
}

function victimsAreLeaving({ pod, nodes }: Placement): boolean {
  const nominated = pod.status?.nominatedNodeName;
  const info = nodes.find(({ node }) => node.metadata.name === nominated);
  if (info === undefined) return false;
  return [...info.pods.values()].some(({ pod: other }) => isTerminating(other) && priorityOf(other) < priorityOf(pod));
}

/** Who has to leave a node; reasons why nobody's leaving would help there. */
function candidateOn(
  placement: Placement,
  info: NodeInfo,
  budgets: readonly Live<PodDisruptionBudget>[],
): Candidate | string[] {
  const priority = priorityOf(placement.pod);
  const all = [...info.pods.values()];
  const lower = all.filter(({ pod }) => priorityOf(pod) < priority);
  if (lower.length === 0) return [NO_VICTIMS];
  let staying = all.filter((entry) => !lower.includes(entry));
  const refusals = refusalsIf(placement, info, withPods(info, staying));
  if (refusals.length > 0) return refusals.map(({ reason }) => reason);

  const { violating, others } = byBudget(lower.sort(moreImportantFirst), budgets);
  const victims: Live<Pod>[] = [];
  let violations = 0;
  // Whoever can stay does, those that a budget protects before all others.
  for (const entry of [...violating, ...others]) {
    const trial = [...staying, entry];
    if (refusalsIf(placement, info, withPods(info, trial)).length === 0) {
      staying = trial;
      continue;
    }
    victims.push(entry.pod);
    if (violating.includes(entry)) violations++;
  }
  return { nodeName: info.node.metadata.name, victims, violations };
}

function byBudget(
  entries: readonly ScheduledPod[],
  budgets: readonly Live<PodDisruptionBudget>[],
): { readonly violating: ScheduledPod[]; readonly others: ScheduledPod[] } {
  const left = new Map(budgets.map((budget) => [budget, budget.status?.disruptionsAllowed ?? 0]));
  const violating: ScheduledPod[] = [];
  const others: ScheduledPod[] = [];
  for (const entry of entries) {
    let violates = false;
    for (const budget of budgets) {
      if (!protects(budget, entry.pod)) continue;
      const allowed = (left.get(budget) ?? 0) - 1;
      left.set(budget, allowed);
      if (allowed < 0) violates = true;
    }
    (violates ? violating : others).push(entry);
  }
  return { violating, others };
}

function protects({ metadata, spec, status }: Live<PodDisruptionBudget>, { metadata: pod }: Live<Pod>): boolean {
  if (metadata.namespace !== pod.namespace || status?.disruptedPods?.[pod.name] !== undefined) return false;
  return spec?.selector !== undefined && objectSelectorMatches(spec.selector, pod.labels ?? {});
}

function startOf({ status }: Live<Pod>): string {
  // One that has not started is the youngest.
  return status?.startTime === undefined ? '~' : String(status.startTime);
}

function moreImportantFirst({ pod: a }: ScheduledPod, { pod: b }: ScheduledPod): number {
  return priorityOf(b) - priorityOf(a) || compareTexts(startOf(a), startOf(b));
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

type Cost = readonly [...numbers: number[], oldest: string];

/** In the original's order: budgets, the most important victim, all of them, their number, and how long the important ones ran. */
function costOf({ victims, violations }: Candidate): Cost {
  const highest = Math.max(LOWEST_PRIORITY, ...victims.map(priorityOf));
  const sum = victims.reduce((total, victim) => total + priorityOf(victim) - LOWEST_PRIORITY + 1, 0);
  const oldest = victims
    .filter((victim) => priorityOf(victim) === highest)
    .map(startOf)
    .sort()[0];
  return [violations, highest, sum, victims.length, oldest ?? '~'];
}

function compareKeys(a: Cost, b: Cost): number {
  for (const [index, value] of a.entries()) {
    const other = b[index] as typeof value;
    if (typeof value === 'number' && typeof other === 'number' && value !== other) return value - other;
    // The node whose oldest victim is the youngest.
    if (typeof value === 'string' && typeof other === 'string' && value !== other) return compareTexts(other, value);
  }
  return 0;
}
