/**
 * Which pods stand behind a Service and how each is reached: the common ground of EndpointSlices and Endpoints.
 */
import type { ContainerPort, Pod, Service, ServicePort } from 'kubernetes-types/core/v1.js';
import { labelSelectorMatches, selectorFromLabels } from '../../../../shared/api/label-selector.ts';
import { type Live, timeMs } from '../../../../shared/api/live.ts';
import { isPodFinished, isPodReady, isTerminating, podCondition } from '../../../../shared/api/pod-condition.ts';

export type Family = 'IPv4' | 'IPv6';

export interface ResolvedPort {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  readonly appProtocol?: string;
}

/** A pod that can stand behind a Service: it has an address and has not finished. */
export function isEndpointCandidate(pod: Live<Pod>): boolean {
  return !isPodFinished(pod) && (pod.status?.podIP ?? '') !== '' && (pod.spec.nodeName ?? '') !== '';
}

export function selectedPods(service: Live<Service>, pods: readonly Live<Pod>[]): Live<Pod>[] {
  const { selector } = service.spec;
  if (selector === undefined || Object.keys(selector).length === 0) return [];
  const compiled = selectorFromLabels(selector);
  return pods.filter((pod) => labelSelectorMatches(compiled, pod.metadata.labels) && isEndpointCandidate(pod));
}

/** ExternalName Services and those without a selector have their endpoints from elsewhere, or none. */
export function managesEndpoints(service: Live<Service>): boolean {
  return service.spec.type !== 'ExternalName' && Object.keys(service.spec.selector ?? {}).length > 0;
}

export function addressesOf(pod: Pod, family: Family): string[] {
  const all = pod.status?.podIPs?.map(({ ip }) => ip ?? '') ?? [pod.status?.podIP ?? ''];
  return all.filter((address) => address !== '' && address.includes(':') === (family === 'IPv6')).slice(0, 1);
}

export function familiesOf(service: Live<Service>): Family[] {
  const families = service.spec.ipFamilies ?? [];
  return families.length === 0 ? ['IPv4'] : families.map((family) => (family === 'IPv6' ? 'IPv6' : 'IPv4'));
}

/** The Service's ports as this pod has them; a named target port that the pod does not declare is left out. */
export function resolvePorts(service: Live<Service>, pod: Live<Pod>): ResolvedPort[] {
  const resolved: ResolvedPort[] = [];
  for (const port of service.spec.ports ?? []) {
    const number = targetPort(port, pod);
    if (number === undefined) continue;
    const { name = '', protocol = 'TCP', appProtocol } = port;
    resolved.push({ name, port: number, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) });
  }
  return resolved;
}

function targetPort(port: ServicePort, pod: Live<Pod>): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target === 0 ? port.port : target;
  if (/^\d+$/.test(target)) return Number(target);
  return namedPort(target, port.protocol ?? 'TCP', pod)?.containerPort;
}

function namedPort(name: string, protocol: string, pod: Live<Pod>): ContainerPort | undefined {
  const sidecars = (pod.spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  for (const container of [...pod.spec.containers, ...sidecars]) {
    const found = container.ports?.find((port) => port.name === name && (port.protocol ?? 'TCP') === protocol);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** ready = serving and not terminating, unless the Service publishes pods that are not ready. */
export function endpointConditions(
  service: Live<Service>,
  pod: Live<Pod>,
): { ready: boolean; serving: boolean; terminating: boolean } {
  const serving = isPodReady(pod);
  const terminating = isTerminating(pod);
  const published = service.spec.publishNotReadyAddresses === true;
  return { ready: published || (serving && !terminating), serving, terminating };
}

/** The pod's hostname, when its subdomain names this Service. */
export function endpointHostname(service: Live<Service>, pod: Live<Pod>): string | undefined {
  const { hostname, subdomain } = pod.spec;
  return hostname && subdomain === service.metadata.name ? hostname : undefined;
}

/** When what the pod contributes last changed: its deletion, or its readiness. */
export function triggerTimeMs(pod: Live<Pod>): number {
  if (isTerminating(pod)) {
    return timeMs(pod.metadata.deletionTimestamp) - (pod.metadata.deletionGracePeriodSeconds ?? 0) * 1000;
  }
  return timeMs(podCondition(pod, 'Ready')?.lastTransitionTime);
}

export const LAST_CHANGE = 'endpoints.kubernetes.io/last-change-trigger-time';
