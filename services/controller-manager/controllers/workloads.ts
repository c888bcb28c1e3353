/** What the controllers of workloads watch, and which key each change leads to. */
import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet } from 'kubernetes-types/apps/v1.js';
import type { CronJob, Job } from 'kubernetes-types/batch/v1.js';
import type { Node, Pod, ReplicationController } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../shared/api/live.ts';
import { controllerOf, type ObjectMeta } from '../../../shared/api/object.ts';
import {
  CONTROLLERREVISIONS,
  CRONJOBS,
  DAEMONSETS,
  DEPLOYMENTS,
  JOBS,
  NODES,
  PODS,
  REPLICASETS,
  REPLICATIONCONTROLLERS,
  STATEFULSETS,
} from '../../../shared/api/resources.ts';
import type { Informer } from '../../../shared/bus/informer.ts';
import { type Controller, keyOf, keysFrom, splitKey } from '../controller.ts';
import type { Informers } from '../informers.ts';
import { controllerKey } from '../owner.ts';
import { type CronJobState, reconcileCronJob } from './cronjob/cronjob.ts';
import { type DaemonSetState, reconcileDaemonSet } from './daemonset/daemonset.ts';
import { type DeploymentState, reconcileDeployment } from './deployment/deployment.ts';
import { type JobState, reconcileJob } from './job/job.ts';
import { type ReplicaSetState, reconcileReplicaSet } from './replicaset/replicaset.ts';
import {
  type ReplicationControllerState,
  reconcileReplicationController,
} from './replicaset/replication-controller.ts';
import { reconcileStatefulSet, type StatefulSetState } from './statefulset/statefulset.ts';

interface InNamespace {
  readonly metadata: ObjectMeta & { readonly name: string };
}

/** An object without an owner may be adopted by any of these. */
function adopters<T extends InNamespace>(object: InNamespace, informer: Informer<T>): string[] {
  return controllerOf(object) === undefined ? informer.list(object.metadata.namespace).map(keyOf) : [];
}

function ownerKeys<T extends InNamespace>(
  object: InNamespace,
  resource: Parameters<typeof controllerKey>[1],
  informer: Informer<T>,
): string[] {
  const key = controllerKey(object, resource);
  return key === undefined ? adopters(object, informer) : [key];
}

export function deploymentController(informers: Informers): Controller<DeploymentState> {
  const deployments = informers.of<Live<Deployment>>(DEPLOYMENTS);
  const replicaSets = informers.of<Live<ReplicaSet>>(REPLICASETS);
  const pods = informers.of<Live<Pod>>(PODS);
  /** Recreate waits for the last old pod to go. */
  const recreating = (pod: Live<Pod>): string[] => {
    const owner = controllerOf(pod);
    if (owner?.kind !== 'ReplicaSet') return [];
    const replicaSet = replicaSets.get(owner.name, pod.metadata.namespace);
    const key = replicaSet === undefined ? undefined : controllerKey(replicaSet, DEPLOYMENTS);
    if (key === undefined) return [];
    const { namespace, name } = splitKey(key);
    return deployments.get(name, namespace)?.spec.strategy?.type === 'Recreate' ? [key] : [];
  };
  return {
    name: 'deployment-controller',
    sources: [
      keysFrom(deployments, (deployment) => [keyOf(deployment)]),
      keysFrom(replicaSets, (replicaSet) => ownerKeys(replicaSet, DEPLOYMENTS, deployments)),
      keysFrom(pods, recreating),
    ],
    gather(key) {
      const { namespace, name } = splitKey(key);
      const deployment = deployments.get(name, namespace);
      if (deployment === undefined) return undefined;
      const needsPods = deployment.spec.strategy?.type === 'Recreate';
      return {
        deployment,
        replicaSets: replicaSets.list(namespace),
        pods: needsPods ? pods.list(namespace) : [],
      };
    },
    reconcile: reconcileDeployment,
  };
}

export function replicaSetController(informers: Informers): Controller<ReplicaSetState> {
  const replicaSets = informers.of<Live<ReplicaSet>>(REPLICASETS);
  const pods = informers.of<Live<Pod>>(PODS);
  return {
    name: 'replicaset-controller',
    sources: [
      keysFrom(replicaSets, (replicaSet) => [keyOf(replicaSet)]),
      keysFrom(pods, (pod) => ownerKeys(pod, REPLICASETS, replicaSets)),
    ],
    gather(key, lastFailure) {
      const { namespace, name } = splitKey(key);
      const replicaSet = replicaSets.get(name, namespace);
      return replicaSet === undefined ? undefined : { replicaSet, pods: pods.list(namespace), lastFailure };
    },
    reconcile: reconcileReplicaSet,
  };
}

export function replicationControllerController(informers: Informers): Controller<ReplicationControllerState> {
  const controllers = informers.of<Live<ReplicationController>>(REPLICATIONCONTROLLERS);
  const pods = informers.of<Live<Pod>>(PODS);
  return {
    name: 'replication-controller',
    sources: [
      keysFrom(controllers, (controller) => [keyOf(controller)]),
      keysFrom(pods, (pod) => ownerKeys(pod, REPLICATIONCONTROLLERS, controllers)),
    ],
    gather(key, lastFailure) {
      const { namespace, name } = splitKey(key);
      const controller = controllers.get(name, namespace);
      return controller === undefined ? undefined : { controller, pods: pods.list(namespace), lastFailure };
    },
    reconcile: reconcileReplicationController,
  };
}

export function daemonSetController(informers: Informers): Controller<DaemonSetState> {
  const daemonSets = informers.of<Live<DaemonSet>>(DAEMONSETS);
  const nodes = informers.of<Live<Node>>(NODES);
  const revisions = informers.of<Live<ControllerRevision>>(CONTROLLERREVISIONS);
  const pods = informers.of<Live<Pod>>(PODS);
  return {
    name: 'daemonset-controller',
    sources: [
      keysFrom(daemonSets, (daemonSet) => [keyOf(daemonSet)]),
      keysFrom(pods, (pod) => ownerKeys(pod, DAEMONSETS, daemonSets)),
      keysFrom(nodes, () => daemonSets.list().map(keyOf)),
    ],
    gather(key) {
      const { namespace, name } = splitKey(key);
      const daemonSet = daemonSets.get(name, namespace);
      if (daemonSet === undefined) return undefined;
      return { daemonSet, nodes: nodes.list(), pods: pods.list(namespace), revisions: revisions.list(namespace) };
    },
    reconcile: reconcileDaemonSet,
  };
}

export function statefulSetController(informers: Informers): Controller<StatefulSetState> {
  const statefulSets = informers.of<Live<StatefulSet>>(STATEFULSETS);
  const revisions = informers.of<Live<ControllerRevision>>(CONTROLLERREVISIONS);
  const pods = informers.of<Live<Pod>>(PODS);
  return {
    name: 'statefulset-controller',
    sources: [
      keysFrom(statefulSets, (statefulSet) => [keyOf(statefulSet)]),
      keysFrom(pods, (pod) => ownerKeys(pod, STATEFULSETS, statefulSets)),
    ],
    gather(key) {
      const { namespace, name } = splitKey(key);
      const statefulSet = statefulSets.get(name, namespace);
      if (statefulSet === undefined) return undefined;
      return { statefulSet, pods: pods.list(namespace), revisions: revisions.list(namespace) };
    },
    reconcile: reconcileStatefulSet,
  };
}

export function jobController(informers: Informers): Controller<JobState> {
  const jobs = informers.of<Live<Job>>(JOBS);
  const pods = informers.of<Live<Pod>>(PODS);
  const owners = (pod: Live<Pod>): string[] => {
    const key = controllerKey(pod, JOBS);
    return key === undefined ? [] : [key];
  };
  return {
    name: 'job-controller',
    sources: [keysFrom(jobs, (job) => [keyOf(job)]), keysFrom(pods, owners)],
    gather(key) {
      const { namespace, name } = splitKey(key);
      const job = jobs.get(name, namespace);
      return job === undefined ? undefined : { job, pods: pods.list(namespace) };
    },
    reconcile: reconcileJob,
  };
}

export function cronJobController(informers: Informers): Controller<CronJobState> {
  const cronJobs = informers.of<Live<CronJob>>(CRONJOBS);
  const jobs = informers.of<Live<Job>>(JOBS);
  const owners = (job: Live<Job>): string[] => {
    const key = controllerKey(job, CRONJOBS);
    return key === undefined ? [] : [key];
  };
  return {
    name: 'cronjob-controller',
    sources: [keysFrom(cronJobs, (cronJob) => [keyOf(cronJob)]), keysFrom(jobs, owners)],
    gather(key) {
      const { namespace, name } = splitKey(key);
      const cronJob = cronJobs.get(name, namespace);
      return cronJob === undefined ? undefined : { cronJob, jobs: jobs.list(namespace) };
    },
    reconcile: reconcileCronJob,
  };
}
