/** What the endpoint controllers watch: a pod's change leads to the Services that select it, before or after. */
import type { Endpoints, Node, Pod, Service } from 'kubernetes-types/core/v1.js';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import type { Live } from '../../../shared/api/live.ts';
import { ENDPOINTS, ENDPOINTSLICES, NODES, PODS, SERVICES } from '../../../shared/api/resources.ts';
import type { Informer } from '../../../shared/bus/informer.ts';
import { type Controller, type KeySource, keyOf, keysFrom, splitKey } from '../controller.ts';
import type { Informers } from '../informers.ts';
import { type EndpointsState, reconcileEndpoints } from './endpoints/endpoints.ts';
import {
  type EndpointSliceState,
  isManagedSlice,
  reconcileEndpointSlices,
  SERVICE_NAME,
} from './endpoints/endpointslice.ts';
import { isMirrorSlice, type MirroringState, reconcileMirroring } from './endpoints/mirrored-slices.ts';

/** Services see a burst of pod changes as one. */
const GATHER_MS = 5;

function servicesOfPods(pods: Informer<Live<Pod>>, services: Informer<Live<Service>>): KeySource {
  return keysFrom(pods, (pod) => {
    const labels = pod.metadata.labels ?? {};
    return services
      .list(pod.metadata.namespace)
      .filter(({ spec }) => selects(spec.selector, labels))
      .map(keyOf);
  });
}

function selects(selector: Record<string, string> | undefined, labels: Record<string, string>): boolean {
  const entries = Object.entries(selector ?? {});
  return entries.length > 0 && entries.every(([key, value]) => labels[key] === value);
}

/** `namespace/name` of the Service whose slice it is. */
function serviceKey({ metadata }: Live<EndpointSlice>): string {
  return `${metadata.namespace ?? ''}/${metadata.labels?.[SERVICE_NAME] ?? ''}`;
}

export function endpointSliceController(informers: Informers): Controller<EndpointSliceState> {
  const services = informers.of<Live<Service>>(SERVICES);
  const pods = informers.of<Live<Pod>>(PODS);
  const slices = informers.of<Live<EndpointSlice>>(ENDPOINTSLICES);
  const nodes = informers.of<Live<Node>>(NODES);
  return {
    name: 'endpoint-slice-controller',
    gatherMs: GATHER_MS,
    sources: [
      keysFrom(services, (service) => [keyOf(service)]),
      servicesOfPods(pods, services),
      keysFrom(slices, (slice) => (isManagedSlice(slice) ? [serviceKey(slice)] : [])),
    ],
    gather(key) {
      const { namespace, name } = splitKey(key);
      const service = services.get(name, namespace);
      if (service === undefined) return undefined;
      return {
        service,
        pods: pods.list(namespace),
        slices: slices.list(namespace).filter((slice) => isManagedSlice(slice) && serviceKey(slice) === key),
        node: (nodeName) => nodes.get(nodeName),
      };
    },
    reconcile: reconcileEndpointSlices,
  };
}

export function endpointsController(informers: Informers): Controller<EndpointsState> {
  const services = informers.of<Live<Service>>(SERVICES);
  const pods = informers.of<Live<Pod>>(PODS);
  const endpoints = informers.of<Live<Endpoints>>(ENDPOINTS);
  return {
    name: 'endpoint-controller',
    gatherMs: GATHER_MS,
    sources: [
      keysFrom(services, (service) => [keyOf(service)]),
      servicesOfPods(pods, services),
      keysFrom(endpoints, (one) => [keyOf(one)]),
    ],
    gather(key) {
      const { namespace, name } = splitKey(key);
      const service = services.get(name, namespace);
      if (service === undefined) return undefined;
      return { service, pods: pods.list(namespace), endpoints: endpoints.get(name, namespace) };
    },
    reconcile: reconcileEndpoints,
  };
}

export function endpointSliceMirroringController(informers: Informers): Controller<MirroringState> {
  const services = informers.of<Live<Service>>(SERVICES);
  const endpoints = informers.of<Live<Endpoints>>(ENDPOINTS);
  const slices = informers.of<Live<EndpointSlice>>(ENDPOINTSLICES);
  return {
    name: 'endpoint-slice-mirroring-controller',
    gatherMs: GATHER_MS,
    sources: [
      keysFrom(endpoints, (one) => [keyOf(one)]),
      keysFrom(services, (service) => [keyOf(service)]),
      keysFrom(slices, (slice) => (isMirrorSlice(slice) ? [serviceKey(slice)] : [])),
    ],
    gather(key) {
      const { namespace, name } = splitKey(key);
      const one = endpoints.get(name, namespace);
      if (one === undefined) return undefined;
      return {
        endpoints: one,
        service: services.get(name, namespace),
        slices: slices.list(namespace).filter((slice) => isMirrorSlice(slice) && serviceKey(slice) === key),
      };
    },
    reconcile: reconcileMirroring,
  };
}
