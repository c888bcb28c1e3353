/** Objects for tests, with what the API server would fill in. */
import type { DaemonSet, Deployment, ReplicaSet } from 'kubernetes-types/apps/v1.js';
import type { Node, NodeCondition, Pod, PodTemplateSpec, Service, Taint } from 'kubernetes-types/core/v1.js';
import type { Live, LiveMeta } from '../../shared/api/live.ts';
import { DAEMONSETS, DEPLOYMENTS, REPLICASETS } from '../../shared/api/resources.ts';
import { formatTimestamp } from '../../shared/api/timestamp.ts';
import type { Action } from './action.ts';
import { controllerReference } from './owner.ts';

export const NOW_MS = Date.UTC(2026, 0, 1, 12, 0, 0);

export function at(offsetSeconds: number): string {
  return formatTimestamp(NOW_MS + offsetSeconds * 1000);
}

export function meta(name: string, more: Partial<LiveMeta> = {}): LiveMeta {
  return {
    name,
    namespace: 'default',
    uid: `uid-${name}`,
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: at(-600),
    ...more,
  };
}

export const TEMPLATE: PodTemplateSpec = {
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image: 'nginx' }] },
};

export function deployment(spec: Partial<Deployment['spec']> = {}, more: Partial<Deployment> = {}): Live<Deployment> {
  return {
    ...more,
    metadata: meta('web', more.metadata as Partial<LiveMeta>),
    spec: { replicas: 3, selector: { matchLabels: { app: 'web' } }, template: TEMPLATE, ...spec },
  };
}

export interface ReplicaSetFacts {
  readonly replicas: number;
  readonly ready?: number;
  readonly image?: string;
  readonly revision?: number;
  readonly desired?: number;
  readonly max?: number;
  readonly createdAt?: number;
}

/** A ReplicaSet of the Deployment `web` whose status has caught up. */
export function replicaSetOf(owner: Live<Deployment>, name: string, facts: ReplicaSetFacts): Live<ReplicaSet> {
  const { replicas, ready = replicas, image, revision = 1, desired = owner.spec.replicas ?? 1, max } = facts;
  const labels = { app: 'web', 'pod-template-hash': name };
  const template = image === undefined ? owner.spec.template : withImage(image);
  return {
    metadata: meta(name, {
      labels,
      creationTimestamp: at(facts.createdAt ?? -500),
      ownerReferences: [controllerReference(DEPLOYMENTS, owner)],
      annotations: {
        'deployment.kubernetes.io/revision': String(revision),
        'deployment.kubernetes.io/desired-replicas': String(desired),
        'deployment.kubernetes.io/max-replicas': String(max ?? desired + 1),
      },
    }),
    spec: { replicas, selector: { matchLabels: labels }, template: { ...template, metadata: { labels } } },
    status: { replicas, readyReplicas: ready, availableReplicas: ready, observedGeneration: 1 },
  };
}

export function withImage(image: string): PodTemplateSpec {
  return { ...TEMPLATE, spec: { containers: [{ name: 'c', image }] } };
}

export function replicaSet(replicas: number, spec: Partial<ReplicaSet['spec']> = {}): Live<ReplicaSet> {
  return {
    metadata: meta('web-1'),
    spec: { replicas, selector: { matchLabels: { app: 'web' } }, template: TEMPLATE, ...spec },
  };
}

export interface PodFacts {
  readonly owner?: Live<ReplicaSet> | Live<DaemonSet>;
  readonly labels?: Record<string, string>;
  readonly node?: string;
  readonly ip?: string;
  readonly phase?: string;
  readonly ready?: boolean;
  readonly readySince?: number;
  readonly terminating?: boolean;
  readonly restarts?: number;
  readonly createdAt?: number;
  readonly meta?: Partial<LiveMeta>;
  readonly spec?: Partial<Pod['spec']>;
}

export function pod(name: string, facts: PodFacts = {}): Live<Pod> {
  const { owner, phase = 'Running', ready = true, readySince = -60, terminating, createdAt = -120 } = facts;
  const ownerResource = owner !== undefined && 'replicas' in owner.spec ? REPLICASETS : DAEMONSETS;
  return {
    metadata: meta(name, {
      labels: facts.labels ?? { app: 'web' },
      creationTimestamp: at(createdAt),
      ...(terminating ? { deletionTimestamp: at(30), deletionGracePeriodSeconds: 30 } : {}),
      ...(owner === undefined ? {} : { ownerReferences: [controllerReference(ownerResource, owner)] }),
      ...facts.meta,
    }),
    spec: { containers: [{ name: 'c', image: 'nginx' }], nodeName: facts.node ?? 'worker-1', ...facts.spec },
    status: {
      phase,
      podIP: facts.ip ?? '10.244.1.5',
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: at(readySince) }],
      containerStatuses: [{ name: 'c', image: 'nginx', imageID: '', ready, restartCount: facts.restarts ?? 0 }],
    },
  };
}

export interface NodeFacts {
  readonly ready?: 'True' | 'False' | 'Unknown' | 'none';
  readonly taints?: Taint[];
  readonly labels?: Record<string, string>;
  readonly unschedulable?: boolean;
  readonly podCidr?: string;
  readonly createdAt?: number;
}

export function node(name: string, facts: NodeFacts = {}): Live<Node> {
  const { ready = 'True', taints, labels, unschedulable, podCidr, createdAt = -600 } = facts;
  const conditions: NodeCondition[] =
    ready === 'none' ? [] : [{ type: 'Ready', status: ready, reason: 'KubeletReady' }];
  return {
    metadata: meta(name, {
      namespace: undefined,
      creationTimestamp: at(createdAt),
      labels: { 'kubernetes.io/hostname': name, ...labels },
    }),
    spec: {
      ...(taints === undefined ? {} : { taints }),
      ...(unschedulable === undefined ? {} : { unschedulable }),
      ...(podCidr === undefined ? {} : { podCIDR: podCidr }),
    },
    status: { conditions, allocatable: { cpu: '4', memory: '8Gi', pods: '110' } },
  };
}

export function service(spec: Partial<Service['spec']> = {}, more: Partial<LiveMeta> = {}): Live<Service> {
  return {
    metadata: meta('web', more),
    spec: { clusterIP: '10.96.1.1', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }], ...spec },
  };
}

/** `create pods`, `delete pods web-1`, `patch replicasets web-1`, `event ScalingReplicaSet`: actions at a glance. */
export function summary(actions: readonly Action[]): string[] {
  return actions.flatMap((action): string[] => {
    switch (action.kind) {
      case 'slow-start':
        return summary(action.actions);
      case 'event':
        return [`event ${action.reason}`];
      case 'create':
      case 'update':
      case 'update-status':
      case 'update-subresource': {
        const { metadata } = action.object as { metadata?: { name?: string } };
        return [`${action.kind} ${action.resource.resource} ${metadata?.name ?? ''}`.trim()];
      }
      default:
        return [`${action.kind} ${action.resource.resource} ${action.name}`];
    }
  });
}
