/** Which pod, on which node, and which of its containers a request means; with the original's words when it is unclear. */
import type { ContainerStatus, Pod, PodSpec } from 'kubernetes-types/core/v1.js';
import type { KubeObject } from '../../../shared/api/object.ts';
import { PODS } from '../../../shared/api/resources.ts';
import { badRequest, notFound } from '../../../shared/api/status.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';

export interface PodTarget {
  readonly pod: Pod & { spec: PodSpec };
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
}

/** Throws NotFound, and BadRequest for a pod that no node has. */
export function podTarget(storage: Pick<ObjectStorage, 'get'>, name: string, namespace: string): PodTarget {
  const object: KubeObject | undefined = storage.get(PODS, name, namespace);
  if (object === undefined) throw notFound(PODS, name);
  // What the store holds has passed the decoder of its kind.
  const pod = object as unknown as Pod & { spec: PodSpec };
  const node = pod.spec.nodeName;
  if (!node) throw badRequest(`pod ${name} does not have a host assigned`);
  return { pod, namespace, name, node };
}

/** The container that was asked for, or the only one. Throws BadRequest. */
export function containerOf({ pod, name }: PodTarget, asked: string | undefined): string {
  const containers = (pod.spec.containers ?? []).map((container) => container.name);
  const init = (pod.spec.initContainers ?? []).map((container) => container.name);
  const ephemeral = (pod.spec.ephemeralContainers ?? []).map((container) => container.name);
  if (!asked) {
    if (containers.length === 1) return containers[0]!;
    const others = init.length === 0 ? '' : ` or one of the init containers: [${init.join(' ')}]`;
    throw badRequest(
      `a container name must be specified for pod ${name}, choose one of: [${containers.join(' ')}]${others}`,
    );
  }
  if ([...containers, ...init, ...ephemeral].includes(asked)) return asked;
  throw badRequest(`container ${asked} is not valid for pod ${name}`);
}

/** Why there are no logs of a container, in the kubelet's words; undefined when there may be some. */
export function missingLogs({ pod, name }: PodTarget, container: string, previous: boolean): string | undefined {
  const status = statusOf(pod, container);
  if (previous) {
    const ended = status?.lastState?.terminated !== undefined;
    return ended ? undefined : `previous terminated container "${container}" in pod "${name}" not found`;
  }
  const neverRan = status?.lastState?.terminated === undefined;
  const waiting = status?.state?.waiting;
  if (waiting === undefined || !neverRan) return undefined;
  const reason = waiting.reason ?? 'ContainerCreating';
  if (reason === 'ErrImagePull' || reason === 'ImagePullBackOff') {
    const failure = reason === 'ErrImagePull' ? "image can't be pulled" : 'trying and failing to pull image';
    return `container "${container}" in pod "${name}" is waiting to start: ${failure}`;
  }
  return `container "${container}" in pod "${name}" is waiting to start: ${reason}`;
}

function statusOf(pod: Pod, container: string): ContainerStatus | undefined {
  const { containerStatuses = [], initContainerStatuses = [], ephemeralContainerStatuses = [] } = pod.status ?? {};
  return [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses].find(
    (status) => status.name === container,
  );
}
