/** When an Indexed Job has succeeded before all of its indexes have (Kubernetes documentation, "Success policy"). */
import type { JobSpec, SuccessPolicyRule } from 'kubernetes-types/batch/v1.js';
import { parseIndexes } from './completion-index.ts';

/** The first rule that is met; undefined for none. */
export function metSuccessRule(
  { successPolicy, completions = 0 }: JobSpec,
  completed: ReadonlySet<number> | undefined,
): number | undefined {
  if (completed === undefined) return undefined;
  const index = (successPolicy?.rules ?? []).findIndex((rule) => isMet(rule, completed, completions));
  return index < 0 ? undefined : index;
}

function isMet(
  { succeededIndexes, succeededCount }: SuccessPolicyRule,
  completed: ReadonlySet<number>,
  completions: number,
): boolean {
  if (succeededIndexes === undefined) return succeededCount !== undefined && completed.size >= succeededCount;
  const wanted = parseIndexes(succeededIndexes, completions);
  const succeeded = [...wanted].filter((index) => completed.has(index)).length;
  return succeeded >= (succeededCount ?? wanted.size);
}
