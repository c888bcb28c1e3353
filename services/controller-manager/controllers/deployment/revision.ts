/** Revisions of a Deployment: which ReplicaSet carries the present template, and the annotations that tell them apart. */
import type { Deployment, ReplicaSet } from 'kubernetes-types/apps/v1.js';
import { type Live, timeMs } from '../../../../shared/api/live.ts';
import { DEPLOYMENTS } from '../../../../shared/api/resources.ts';
import { controllerReference } from '../../owner.ts';
import { POD_TEMPLATE_HASH, sameTemplate, templateHash } from '../../template-hash.ts';

export const REVISION = 'deployment.kubernetes.io/revision';
export const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';

/** Annotations of a Deployment that its ReplicaSets do not take over. */
const NOT_COPIED = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  'deprecated.deployment.rollback.to',
]);

export function revisionOf(replicaSet: Live<ReplicaSet>): number {
  return Number.parseInt(replicaSet.metadata.annotations?.[REVISION] ?? '0', 10) || 0;
}

export function byAge(a: Live<ReplicaSet>, b: Live<ReplicaSet>): number {
  return (
    timeMs(a.metadata.creationTimestamp) - timeMs(b.metadata.creationTimestamp) ||
    (a.metadata.name < b.metadata.name ? -1 : 1)
  );
}

/** The oldest ReplicaSet with the Deployment's template. */
export function findNewReplicaSet(
  deployment: Live<Deployment>,
  replicaSets: readonly Live<ReplicaSet>[],
): Live<ReplicaSet> | undefined {
  return [...replicaSets]
    .sort(byAge)
    .find(({ spec }) => spec.template !== undefined && sameTemplate(spec.template, deployment.spec.template));
}

export function nextRevision(oldReplicaSets: readonly Live<ReplicaSet>[]): number {
  return Math.max(0, ...oldReplicaSets.map(revisionOf)) + 1;
}

export function replicasAnnotations(desired: number, maxSurge: number): Record<string, string> {
  return { [DESIRED_REPLICAS]: String(desired), [MAX_REPLICAS]: String(desired + maxSurge) };
}

/** The annotations the new ReplicaSet should have; the same object as before when nothing changes. */
export function newReplicaSetAnnotations(
  deployment: Live<Deployment>,
  before: Readonly<Record<string, string>>,
  revision: number,
): Record<string, string> {
  const after: Record<string, string> = { ...before };
  for (const [key, value] of Object.entries(deployment.metadata.annotations ?? {})) {
    if (!NOT_COPIED.has(key)) after[key] = value;
  }
  const known = Number.parseInt(before[REVISION] ?? '0', 10) || 0;
  if (known < revision) {
    after[REVISION] = String(revision);
    if (known > 0) {
      const history = before[REVISION_HISTORY];
      after[REVISION_HISTORY] = history ? `${history},${known}` : String(known);
    }
  }
  return after;
}

export function newReplicaSet(
  deployment: Live<Deployment>,
  replicas: number,
  maxSurge: number,
  revision: number,
): ReplicaSet {
  const hash = templateHash(deployment.spec.template, deployment.status?.collisionCount ?? 0);
  const { template, selector, minReadySeconds } = deployment.spec;
  const labels = { ...template.metadata?.labels, [POD_TEMPLATE_HASH]: hash };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      namespace: deployment.metadata.namespace,
      labels,
      annotations: {
        ...newReplicaSetAnnotations(deployment, {}, revision),
        ...replicasAnnotations(deployment.spec.replicas ?? 1, maxSurge),
      },
      ownerReferences: [controllerReference(DEPLOYMENTS, deployment)],
    },
    spec: {
      replicas,
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [POD_TEMPLATE_HASH]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}
