/** Which container a request is about; errors in the words of the kubelet. */

import { PODS } from '../../shared/api/resources.ts';
import { badRequest, notFound } from '../../shared/api/status.ts';
import type { ContainerTarget } from '../../shared/bus/subjects.ts';
import type { ContainerRecord } from '../pods/container-record.ts';
import type { LiveContainer } from '../pods/container-worker.ts';
import { NoSuchContainerError, type PodManager } from '../pods/pod-manager.ts';
import type { PodWorker } from '../pods/pod-worker.ts';

const DEFAULT_CONTAINER_ANNOTATION = 'kubectl.kubernetes.io/default-container';

export interface FoundContainer {
  readonly worker: PodWorker;
  readonly record: ContainerRecord;
}

/** Throws ApiError: NotFound for the pod, BadRequest for a name the pod does not have. */
export function findContainer(pods: PodManager, target: ContainerTarget): FoundContainer {
  const worker = findPod(pods, target.namespace, target.pod);
  const name =
    target.container ??
    worker.pod.metadata?.annotations?.[DEFAULT_CONTAINER_ANNOTATION] ??
    worker.pod.spec?.containers[0]?.name ??
    '';
  const record = worker.records.find((candidate) => candidate.name === name);
  if (record === undefined) throw badRequest(`container ${name} is not valid for pod ${target.pod}`);
  return { worker, record };
}

export function findPod(pods: PodManager, namespace: string, name: string): PodWorker {
  try {
    return pods.find(namespace, name);
  } catch (error) {
    if (error instanceof NoSuchContainerError) throw notFound(PODS, name);
    throw error;
  }
}

/** Throws ApiError BadRequest when the container does not run. */
export function findRunning(pods: PodManager, target: ContainerTarget): LiveContainer {
  const { worker, record } = findContainer(pods, target);
  const container = worker.container(record.name)?.live;
  if (container === undefined || (record.phase !== 'running' && record.phase !== 'stopping')) {
    throw badRequest(`unable to upgrade connection: container not found ("${record.name}")`);
  }
  return container;
}
