/** `pods/eviction`: a deletion that disruption budgets may refuse (Kubernetes "API-initiated Eviction"). */
import { labelSelectorMatches, selectorFromObject } from '../../../../shared/api/label-selector.ts';
import { fieldAt, isJsonObject, type JsonObject, type KubeObject } from '../../../../shared/api/object.ts';
import { PODDISRUPTIONBUDGETS } from '../../../../shared/api/resources.ts';
import { ApiError, internalError, notFound, tooManyRequests } from '../../../../shared/api/status.ts';
import { formatTimestamp } from '../../../../shared/api/timestamp.ts';
import type { ApiAnswer, ApiCall } from '../api-call.ts';
import { deleteObject } from '../delete.ts';
import type { RegistryContext } from '../registry-context.ts';
import { deleteOptions, writeOptions } from '../request-options.ts';
import { SUCCESS } from './success.ts';

const RETRY_SECONDS = 10;

export async function evict(context: RegistryContext, call: ApiCall): Promise<ApiAnswer> {
  const { definition, name = '', namespace } = call;
  const options = deleteOptions(call.query, fieldAt(call.body?.value, 'deleteOptions'));
  const dryRun = options.dryRun || writeOptions(call.query).dryRun;
  const pod = context.storage.get(definition.storage, name, namespace);
  if (pod === undefined) throw notFound(definition, name);
  if (needsBudget(pod)) await spendBudget(context, pod, dryRun);
  await deleteObject(context, definition, name, namespace, { ...options, dryRun });
  return { kind: 'status', code: 201, status: { ...SUCCESS, code: 201 } };
}

/** A pod that has ended, that never ran, or that is on its way out, is disrupted no further. */
function needsBudget(pod: KubeObject): boolean {
  const phase = fieldAt(pod, 'status', 'phase');
  return (
    pod.metadata.deletionTimestamp === undefined && phase !== 'Succeeded' && phase !== 'Failed' && phase !== 'Pending'
  );
}

async function spendBudget(context: RegistryContext, pod: KubeObject, dryRun: boolean): Promise<void> {
  const budgets = budgetsOf(context, pod);
  if (budgets.length > 1) {
    throw internalError(
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    );
  }
  const [budget] = budgets;
  if (budget === undefined || goesFreely(budget, pod)) return;
  const { name = '', namespace } = budget.metadata;
  const nowMs = context.clock.nowMs();
  await context.storage.update(PODDISRUPTIONBUDGETS, name, namespace, (current) => {
    checkBudget(current);
    return dryRun ? { kind: 'unchanged' } : { kind: 'write', object: spentBudget(current, pod, nowMs) };
  });
}

function budgetsOf(context: RegistryContext, pod: KubeObject): KubeObject[] {
  return [...context.storage.of(PODDISRUPTIONBUDGETS).values()]
    .map((entry) => entry.object)
    .filter((budget) => budget.metadata.namespace === pod.metadata.namespace && selects(budget, pod));
}

function selects(budget: KubeObject, pod: KubeObject): boolean {
  const selector = fieldAt(budget, 'spec', 'selector');
  const compiled = isJsonObject(selector) ? selectorFromObject(selector) : undefined;
  return compiled !== undefined && labelSelectorMatches(compiled, pod.metadata.labels);
}

/** A running pod that is not ready may go without a word when its budget says so, or is not in want of pods. */
function goesFreely(budget: KubeObject, pod: KubeObject): boolean {
  if (isReady(pod)) return false;
  if (fieldAt(budget, 'spec', 'unhealthyPodEvictionPolicy') === 'AlwaysAllow') return true;
  const { desiredHealthy = 0, currentHealthy = 0 } = statusOf(budget);
  return Number(desiredHealthy) > 0 && Number(currentHealthy) >= Number(desiredHealthy);
}

function isReady(pod: KubeObject): boolean {
  const conditions = fieldAt(pod, 'status', 'conditions');
  const ready = Array.isArray(conditions) ? conditions.find((one) => fieldAt(one, 'type') === 'Ready') : undefined;
  return fieldAt(ready, 'status') === 'True';
}

function statusOf(budget: KubeObject): JsonObject {
  return isJsonObject(budget.status) ? budget.status : {};
}

function checkBudget(budget: KubeObject): void {
  const { name = '', generation = 0 } = budget.metadata;
  const { observedGeneration = 0, disruptionsAllowed = 0, desiredHealthy = 0, currentHealthy = 0 } = statusOf(budget);
  if (Number(observedGeneration) < generation) {
    throw refused(`The disruption budget ${name} is still being processed by the server.`);
  }
  if (Number(disruptionsAllowed) > 0) return;
  throw refused(
    `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`,
  );
}

function refused(message: string): ApiError {
  const error = tooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", RETRY_SECONDS);
  return new ApiError(error.code, error.reason, error.message, {
    ...error.details,
    causes: [{ reason: 'DisruptionBudget', message }],
  });
}

function spentBudget(budget: KubeObject, pod: KubeObject, nowMs: number): KubeObject {
  const status = statusOf(budget);
  const disruptedPods = isJsonObject(status.disruptedPods) ? status.disruptedPods : {};
  return {
    ...budget,
    status: {
      ...status,
      disruptionsAllowed: Number(status.disruptionsAllowed) - 1,
      disruptedPods: { ...disruptedPods, [pod.metadata.name ?? '']: formatTimestamp(nowMs) },
    },
  };
}
