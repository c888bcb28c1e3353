/**
 * EndpointSlices of a Service: at most 100 endpoints each, one set of slices per address family and set of ports. A change
 * touches as few slices as it can; a Service without endpoints keeps one empty slice.
 */
import type { Node, Pod, Service } from 'kubernetes-types/core/v1.js';
import type { Endpoint, EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import type { Live } from '../../../../shared/api/live.ts';
import { isTerminating } from '../../../../shared/api/pod-condition.ts';
import { ENDPOINTSLICES, SERVICES } from '../../../../shared/api/resources.ts';
import { formatTimestamp } from '../../../../shared/api/timestamp.ts';
import { hintsOf } from '../../../../shared/api/topology-hints.ts';
import { type Action, NOTHING, type Outcome } from '../../action.ts';
import { controllerReference } from '../../owner.ts';
import { same } from '../../same.ts';
import {
  addressesOf,
  endpointConditions,
  endpointHostname,
  type Family,
  familiesOf,
  LAST_CHANGE,
  managesEndpoints,
  type ResolvedPort,
  resolvePorts,
  selectedPods,
  triggerTimeMs,
} from './service-endpoints.ts';

export const SERVICE_NAME = 'kubernetes.io/service-name';
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
export const CONTROLLER = 'endpointslice-controller.k8s.io';
const HEADLESS = 'service.kubernetes.io/headless';
const ZONE = 'topology.kubernetes.io/zone';
const MAX_ENDPOINTS = 100;

export interface EndpointSliceState {
  readonly service: Live<Service>;
  /** All pods of the namespace. */
  readonly pods: readonly Live<Pod>[];
  /** The slices this controller made for the Service. */
  readonly slices: readonly Live<EndpointSlice>[];
  readonly node: (name: string) => Live<Node> | undefined;
}

/** Endpoints with the same family and the same ports, by address. */
interface Group {
  readonly family: Family;
  readonly ports: readonly ResolvedPort[];
  readonly endpoints: Map<string, { readonly endpoint: Endpoint; readonly changedMs: number }>;
}

export function isManagedSlice(slice: Live<EndpointSlice>): boolean {
  return slice.metadata.labels?.[MANAGED_BY] === CONTROLLER;
}

export function reconcileEndpointSlices(state: EndpointSliceState): Outcome {
  const { service, slices } = state;
  if (isTerminating(service) || !managesEndpoints(service)) return NOTHING;
  const live = slices.filter((slice) => !isTerminating(slice));
  const groups = groupEndpoints(state);
  const actions: Action[] = [];
  const taken = new Set<Live<EndpointSlice>>();
  for (const group of groups) {
    const own = live.filter((slice) => slice.addressType === group.family && samePorts(slice, group.ports));
    for (const slice of own) taken.add(slice);
    actions.push(...placeGroup(service, group, own));
  }
  for (const slice of live) if (!taken.has(slice)) actions.push(deleteSlice(slice));
  return { actions: recycle(actions, live) };
}

/** A slice that would go while another of its family comes is given the other's content: one write, and the name stays. */
function recycle(actions: readonly Action[], slices: readonly Live<EndpointSlice>[]): Action[] {
  const kept: Action[] = [];
  const going = actions.flatMap((action) =>
    action.kind === 'delete' ? slices.filter(({ metadata }) => metadata.uid === action.uid) : [],
  );
  const reused = new Set<string>();
  for (const action of actions) {
    if (action.kind !== 'create') continue;
    const { metadata, addressType, endpoints, ports } = action.object as EndpointSlice;
    const slice = going.find((one) => one.addressType === addressType && !reused.has(one.metadata.uid));
    if (slice === undefined) {
      kept.push(action);
      continue;
    }
    reused.add(slice.metadata.uid);
    const { labels, annotations } = metadata ?? {};
    const object = { ...slice, metadata: { ...slice.metadata, labels, annotations }, endpoints, ports };
    kept.push({ kind: 'update', resource: ENDPOINTSLICES, object });
  }
  const others = actions.filter(
    (action) => action.kind !== 'create' && !(action.kind === 'delete' && reused.has(action.uid ?? '')),
  );
  return [...others, ...kept];
}

function groupEndpoints({ service, pods, node }: EndpointSliceState): Group[] {
  const groups = new Map<string, Group>();
  const selected = selectedPods(service, pods);
  for (const family of familiesOf(service)) {
    for (const pod of selected) {
      const [address] = addressesOf(pod, family);
      if (address === undefined) continue;
      const ports = resolvePorts(service, pod);
      const group = groupOf(groups, family, ports);
      const endpoint = endpointOf(service, pod, address, node);
      group.endpoints.set(address, { endpoint, changedMs: triggerTimeMs(pod) });
    }
    if (![...groups.values()].some((group) => group.family === family)) groupOf(groups, family, []);
  }
  return [...groups.values()];
}

function groupOf(groups: Map<string, Group>, family: Family, ports: readonly ResolvedPort[]): Group {
  const key = `${family} ${JSON.stringify(ports)}`;
  let group = groups.get(key);
  if (group === undefined) {
    group = { family, ports, endpoints: new Map() };
    groups.set(key, group);
  }
  return group;
}

function endpointOf(
  service: Live<Service>,
  pod: Live<Pod>,
  address: string,
  node: (name: string) => Live<Node> | undefined,
): Endpoint {
  const { nodeName = '' } = pod.spec;
  const zone = node(nodeName)?.metadata.labels?.[ZONE];
  const hostname = endpointHostname(service, pod);
  const { name, namespace, uid } = pod.metadata;
  const conditions = endpointConditions(service, pod);
  const hints = conditions.ready ? hintsOf(service.spec.trafficDistribution, nodeName, zone) : undefined;
  return {
    addresses: [address],
    conditions,
    ...(hostname === undefined ? {} : { hostname }),
    nodeName,
    targetRef: { kind: 'Pod', namespace, name, uid },
    ...(zone === undefined ? {} : { zone }),
    ...(hints === undefined ? {} : { hints }),
  };
}

function samePorts(slice: Live<EndpointSlice>, ports: readonly ResolvedPort[]): boolean {
  return same(
    (slice.ports ?? []).map(({ name = '', port, protocol = 'TCP', appProtocol }) => ({
      name,
      port,
      protocol,
      appProtocol,
    })),
    ports,
  );
}

/** Keeps endpoints in the slice they are in, fills slices that have room, and makes new ones for the rest. */
function placeGroup(service: Live<Service>, group: Group, slices: readonly Live<EndpointSlice>[]): Action[] {
  const left = new Map(group.endpoints);
  const contents = slices.map((slice) => {
    const kept: Endpoint[] = [];
    for (const { addresses } of slice.endpoints ?? []) {
      const entry = left.get(addresses[0] ?? '');
      if (entry === undefined) continue;
      kept.push(entry.endpoint);
      left.delete(addresses[0] ?? '');
    }
    return { slice, kept };
  });
  const rest = [...left.values()].map(({ endpoint }) => endpoint);
  for (const { kept } of contents) kept.push(...rest.splice(0, Math.max(0, MAX_ENDPOINTS - kept.length)));
  const created: Endpoint[][] = [];
  while (rest.length > 0) created.push(rest.splice(0, MAX_ENDPOINTS));
  if (slices.length === 0 && created.length === 0) created.push([]);

  const filled = contents.filter(({ kept }) => kept.length > 0);
  const actions: Action[] = [];
  for (const { slice, kept } of contents) {
    const isPlaceholder = filled.length === 0 && created.length === 0 && slice === contents[0]?.slice;
    if (kept.length === 0 && !isPlaceholder) actions.push(deleteSlice(slice));
    else actions.push(...updateSlice(service, group, slice, kept));
  }
  for (const endpoints of created) {
    const object = newSlice(service, group, endpoints);
    actions.push({ kind: 'create', resource: ENDPOINTSLICES, object });
  }
  return actions;
}

function updateSlice(
  service: Live<Service>,
  group: Group,
  slice: Live<EndpointSlice>,
  endpoints: Endpoint[],
): Action[] {
  const labels = sliceLabels(service);
  if (same(slice.endpoints ?? [], endpoints) && same(slice.metadata.labels, labels)) return [];
  const annotations = { ...slice.metadata.annotations };
  delete annotations[LAST_CHANGE];
  Object.assign(annotations, changeAnnotation(changeTimeMs(group, slice.endpoints ?? [], endpoints)));
  const object: EndpointSlice = { ...slice, metadata: { ...slice.metadata, labels, annotations }, endpoints };
  return [{ kind: 'update', resource: ENDPOINTSLICES, object }];
}

/** The latest change of an endpoint that differs between `before` and `after`; 0 when only endpoints went away. */
function changeTimeMs(group: Group, before: readonly Endpoint[], after: readonly Endpoint[]): number {
  const known = new Map(before.map((endpoint) => [endpoint.addresses[0], endpoint]));
  const changed = after.filter((endpoint) => !same(known.get(endpoint.addresses[0]), endpoint));
  return Math.max(0, ...changed.map(({ addresses }) => group.endpoints.get(addresses[0] ?? '')?.changedMs ?? 0));
}

function changeAnnotation(atMs: number): Record<string, string> {
  return atMs === 0 ? {} : { [LAST_CHANGE]: formatTimestamp(atMs) };
}

function newSlice(service: Live<Service>, group: Group, endpoints: Endpoint[]): EndpointSlice {
  const ports = group.ports.map(({ name, port, protocol, appProtocol }) => ({
    name,
    port,
    protocol,
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }));
  const annotations = changeAnnotation(changeTimeMs(group, [], endpoints));
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      generateName: `${service.metadata.name}-`,
      namespace: service.metadata.namespace,
      labels: sliceLabels(service),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      ownerReferences: [controllerReference(SERVICES, service)],
    },
    addressType: group.family,
    endpoints,
    ports,
  };
}

function sliceLabels(service: Live<Service>): Record<string, string> {
  const headless = service.spec.clusterIP === 'None';
  return {
    ...service.metadata.labels,
    [SERVICE_NAME]: service.metadata.name,
    [MANAGED_BY]: CONTROLLER,
    ...(headless ? { [HEADLESS]: '' } : {}),
  };
}

function deleteSlice(slice: Live<EndpointSlice>): Action {
  const { name, namespace, uid } = slice.metadata;
  return { kind: 'delete', resource: ENDPOINTSLICES, name, namespace, uid };
}
