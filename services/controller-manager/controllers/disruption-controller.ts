/** What the controller of PodDisruptionBudgets watches: budgets, their pods, and what says how many of them there shall be. */
import type { Deployment, ReplicaSet, StatefulSet } from 'kubernetes-types/apps/v1.js';
import type { Pod, ReplicationController } from 'kubernetes-types/core/v1.js';
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.js';
import { labelSelectorMatches, selectorFromObject } from '../../../shared/api/label-selector.ts';
import type { Live } from '../../../shared/api/live.ts';
import { controllerOf } from '../../../shared/api/object.ts';
import type { ResourceRef } from '../../../shared/api/resource.ts';
import {
  DEPLOYMENTS,
  PODDISRUPTIONBUDGETS,
  PODS,
  REPLICASETS,
  REPLICATIONCONTROLLERS,
  STATEFULSETS,
} from '../../../shared/api/resources.ts';
import { type Controller, keyOf, keysFrom, splitKey } from '../controller.ts';
import type { Informers } from '../informers.ts';
import { controllerKey } from '../owner.ts';
import { type DisruptionBudgetState, reconcileDisruptionBudget } from './disruption/disruption-budget.ts';

/** A burst of pod changes is one look. */
const GATHER_MS = 20;

type Scaled = Live<Deployment | ReplicaSet | StatefulSet | ReplicationController>;

export function disruptionController(informers: Informers): Controller<DisruptionBudgetState> {
  const budgets = informers.of<Live<PodDisruptionBudget>>(PODDISRUPTIONBUDGETS);
  const pods = informers.of<Live<Pod>>(PODS);
  const scaled = [REPLICASETS, STATEFULSETS, REPLICATIONCONTROLLERS, DEPLOYMENTS];
  const budgetsOfPod = (pod: Live<Pod>): string[] =>
    budgets
      .list(pod.metadata.namespace)
      .filter(({ spec }) => {
        const selector = selectorFromObject(spec.selector);
        return selector !== undefined && labelSelectorMatches(selector, pod.metadata.labels);
      })
      .map(keyOf);
  return {
    name: 'controllermanager',
    gatherMs: GATHER_MS,
    sources: [
      keysFrom(budgets, (budget) => [keyOf(budget)]),
      keysFrom(pods, budgetsOfPod),
      ...scaled.map((resource) =>
        keysFrom(informers.of<Scaled>(resource), ({ metadata }) => budgets.list(metadata.namespace).map(keyOf)),
      ),
    ],
    gather(key) {
      const { namespace, name } = splitKey(key);
      const budget = budgets.get(name, namespace);
      if (budget === undefined) return undefined;
      return { budget, pods: pods.list(namespace), scaleOf: (pod) => scaleOf(informers, scaled, pod) };
    },
    reconcile: reconcileDisruptionBudget,
  };
}

/** Of the uppermost controller that is scaled: a Deployment's before that of its ReplicaSet. */
function scaleOf(
  informers: Informers,
  resources: readonly ResourceRef[],
  pod: Live<Pod>,
): ReturnType<DisruptionBudgetState['scaleOf']> {
  let scale: ReturnType<DisruptionBudgetState['scaleOf']>;
  let owned: Live<Pod> | Scaled = pod;
  for (;;) {
    const owner = ownerOf(informers, resources, owned);
    if (owner === undefined) return scale;
    scale = { uid: owner.metadata.uid, replicas: owner.spec.replicas ?? 1 };
    owned = owner;
  }
}

function ownerOf(
  informers: Informers,
  resources: readonly ResourceRef[],
  object: Live<Pod> | Scaled,
): Scaled | undefined {
  for (const resource of resources) {
    const key = controllerKey(object, resource);
    if (key === undefined) continue;
    const { namespace, name } = splitKey(key);
    const owner = informers.of<Scaled>(resource).get(name, namespace);
    return owner?.metadata.uid === controllerOf(object)?.uid ? owner : undefined;
  }
  return undefined;
}
