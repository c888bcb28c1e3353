/** What an object takes of a quota, by the quota's resource names (Kubernetes "Resource Quotas"). */
import type { PersistentVolumeClaim, Pod, Service } from 'kubernetes-types/core/v1.js';
import type { KubeObject } from '../object.ts';
import type { Quantity } from '../quantity.ts';
import type { ResourceRef } from '../resource.ts';
import { parseTimestamp } from '../timestamp.ts';
import { type Amounts, amountsOf, count } from './amounts.ts';
import { podResources } from './pod-resources.ts';

type Counted = Pick<ResourceRef, 'group' | 'resource'>;

/** Kinds whose number has a name of its own beside `count/<resource>`. */
const OWN_NAMES = new Set([
  'configmaps',
  'persistentvolumeclaims',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'services',
]);

/** Amounts that stand in a quota without a prefix as well. */
const PLAIN_REQUESTS = new Set(['cpu', 'memory', 'ephemeral-storage']);

/** `object` is of this very resource; `nowMs` tells which dying pods count no more. */
export function quotaUsage(resource: Counted, object: KubeObject, nowMs: number): Amounts {
  const { group, resource: name } = resource;
  const usage = new Map<string, Quantity>([[group === '' ? `count/${name}` : `count/${name}.${group}`, count(1)]]);
  if (group !== '') return usage;
  if (OWN_NAMES.has(name)) usage.set(name, count(1));
  // The decoder has checked the object against its kind.
  if (name === 'pods') addPod(usage, object as unknown as Pod, nowMs);
  if (name === 'services') addService(usage, object as unknown as Service);
  if (name === 'persistentvolumeclaims') addClaim(usage, object as unknown as PersistentVolumeClaim);
  return usage;
}

function addPod(usage: Map<string, Quantity>, pod: Pod, nowMs: number): void {
  if (pod.spec === undefined || hasEnded(pod, nowMs)) return;
  usage.set('pods', count(1));
  for (const [name, quantity] of podResources(pod.spec, 'requests')) {
    if (PLAIN_REQUESTS.has(name) || name.startsWith('hugepages-')) usage.set(name, quantity);
    usage.set(`requests.${name}`, quantity);
  }
  for (const [name, quantity] of podResources(pod.spec, 'limits')) {
    if (PLAIN_REQUESTS.has(name)) usage.set(`limits.${name}`, quantity);
  }
}

/** A pod that should be gone by now holds nobody up. */
function hasEnded({ metadata, status }: Pod, nowMs: number): boolean {
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return true;
  const { deletionTimestamp, deletionGracePeriodSeconds } = metadata ?? {};
  if (deletionTimestamp === undefined || deletionGracePeriodSeconds === undefined) return false;
  return nowMs > (parseTimestamp(deletionTimestamp) ?? 0) + deletionGracePeriodSeconds * 1000;
}

function addService(usage: Map<string, Quantity>, { spec }: Service): void {
  const ports = spec?.ports ?? [];
  if (spec?.type === 'NodePort') usage.set('services.nodeports', count(ports.length));
  if (spec?.type !== 'LoadBalancer') return;
  const taken = spec.allocateLoadBalancerNodePorts === false ? ports.filter(({ nodePort }) => nodePort) : ports;
  usage.set('services.nodeports', count(taken.length));
  usage.set('services.loadbalancers', count(1));
}

function addClaim(usage: Map<string, Quantity>, { spec }: PersistentVolumeClaim): void {
  const storage = amountsOf(spec?.resources?.requests).get('storage');
  if (storage !== undefined) usage.set('requests.storage', storage);
  if (!spec?.storageClassName) return;
  const prefix = `${spec.storageClassName}.storageclass.storage.k8s.io`;
  usage.set(`${prefix}/persistentvolumeclaims`, count(1));
  if (storage !== undefined) usage.set(`${prefix}/requests.storage`, storage);
}

const PER_CONTAINER = ['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory'];

/** What the containers of a pod must say because the quota counts it; undefined when they do. */
export function missingResources({ spec }: Pod, hard: readonly string[]): string | undefined {
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  const problems = PER_CONTAINER.filter((name) => hard.includes(name))
    .sort()
    .flatMap((name) => {
      const of = name.startsWith('limits.') ? 'limits' : 'requests';
      const plain = name.replace(/^(limits|requests)\./, '');
      const without = containers.filter(({ resources }) => resources?.[of]?.[plain] === undefined);
      const names = [...new Set(without.map((container) => container.name))].sort();
      return names.length === 0 ? [] : [`${name} for: ${names.join(',')}`];
    });
  return problems.length === 0 ? undefined : `must specify ${problems.join('; ')}`;
}
