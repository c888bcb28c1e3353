/** What the endpoint controllers watch: a pod's change leads to the Services that select it, before or after. */
import type { Endpoints, Node, Pod, Service } from 'kubernetes-types/core/v1.js';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import type { Live } from '../../../shared/api/live.ts';
import { isNodeReady } from '../../../shared/api/node-condition.ts';
import { ENDPOINTS, ENDPOINTSLICES, NODES, PODS, SERVICES } from '../../../shared/api/resources.ts';
import { ZONE_LABEL } from '../../../shared/api/topology-hints.ts';
import type { Informer } from '../../../shared/bus/informer.ts';
import { type Controller, type KeySource, keyOf, keysFrom, splitKey } from '../controller.ts';
import type { Informers } from '../informers.ts';
import { type EndpointsState, reconcileEndpoints } from './endpoints/endpoints.ts';
import {
  type EndpointSliceState,
  type HintState,
  isManagedSlice,
  reconcileEndpointSlices,
  SERVICE_NAME,
} from './endpoints/endpointslice.ts';
import { hintEvents } from './endpoints/hint-events.ts';
import { isMirrorSlice, type MirroringState, reconcileMirroring } from './endpoints/mirrored-slices.ts';
import type { Family } from './endpoints/service-endpoints.ts';
import { isTopologyAware, zoneShares } from './endpoints/topology-aware-hints.ts';

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

/** A node's zone is its endpoints', and the share of a zone is its ready nodes'. */
function servicesOfNodes(nodes: Informer<Live<Node>>, services: Informer<Live<Service>>): KeySource {
  return {
    subscribe(enqueue) {
      const all = (): void => services.list().map(keyOf).forEach(enqueue);
      const aware = (): void => services.list().filter(isTopologyAware).map(keyOf).forEach(enqueue);
      nodes.subscribe({
        added: aware,
        updated(node, old) {
          if (zoneOf(node) !== zoneOf(old)) all();
          else if (isNodeReady(node) !== isNodeReady(old) || cpuOf(node) !== cpuOf(old)) aware();
        },
        deleted: aware,
      });
    },
  };
}

function zoneOf({ metadata }: Live<Node>): string | undefined {
  return metadata.labels?.[ZONE_LABEL];
}

function cpuOf({ status }: Live<Node>): string | undefined {
  return status?.allocatable?.cpu;
}

export function endpointSliceController(informers: Informers): Controller<EndpointSliceState> {
  const services = informers.of<Live<Service>>(SERVICES);
  const pods = informers.of<Live<Pod>>(PODS);
  const slices = informers.of<Live<EndpointSlice>>(ENDPOINTSLICES);
  const nodes = informers.of<Live<Node>>(NODES);
  /** What was last said of each Service's hints. */
  const said = new Map<string, ReadonlyMap<Family, HintState>>();
  return {
    name: 'endpoint-slice-controller',
    gatherMs: GATHER_MS,
    sources: [
      keysFrom(services, (service) => [keyOf(service)]),
      servicesOfPods(pods, services),
      keysFrom(slices, (slice) => (isManagedSlice(slice) ? [serviceKey(slice)] : [])),
      servicesOfNodes(nodes, services),
    ],
    gather(key) {
      const { namespace, name } = splitKey(key);
      const service = services.get(name, namespace);
      if (service === undefined) {
        said.delete(key);
        return undefined;
      }
      return {
        service,
        pods: pods.list(namespace),
        slices: slices.list(namespace).filter((slice) => isManagedSlice(slice) && serviceKey(slice) === key),
        node: (nodeName) => nodes.get(nodeName),
        zoneShares: () => zoneShares(nodes.list()),
      };
    },
    reconcile(state) {
      const { actions, hints } = reconcileEndpointSlices(state);
      const key = keyOf(state.service);
      const events = hintEvents(state.service, said.get(key) ?? new Map(), hints);
      if (hints.size > 0) said.set(key, hints);
      else said.delete(key);
      return { actions: [...actions, ...events] };
    },
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
