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
import { hintsOf, ZONE_LABEL } from '../../../../shared/api/topology-hints.ts';
import type { Action, Outcome } from '../../action.ts';
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
import { isTopologyAware, topologyAwareHints, type ZoneShares } from './topology-aware-hints.ts';

export const SERVICE_NAME = 'kubernetes.io/service-name';
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
export const CONTROLLER = 'endpointslice-controller.k8s.io';
const HEADLESS = 'service.kubernetes.io/headless';
const MAX_ENDPOINTS = 100;

export interface EndpointSliceState {
  readonly service: Live<Service>;
  /** All pods of the namespace. */
  readonly pods: readonly Live<Pod>[];
  /** The slices this controller made for the Service. */
  readonly slices: readonly Live<EndpointSlice>[];
  readonly node: (name: string) => Live<Node> | undefined;
  readonly zoneShares: () => ZoneShares | undefined;
}

/** How topology aware routing stands in a family of the Service: its endpoints have hints, or why they have none. */
export type HintState = { readonly enabled: true } | { readonly enabled: false; readonly refusal: string };

export interface EndpointSliceOutcome extends Outcome {
  /** Empty for a Service that does not ask for it. */
  readonly hints: ReadonlyMap<Family, HintState>;
}

/** What a slice is to hold: one that is there, or a new one. */
interface Placement {
  readonly group: Group;
  readonly slice: Live<EndpointSlice> | undefined;
  readonly endpoints: readonly Endpoint[];
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

export function reconcileEndpointSlices(state: EndpointSliceState): EndpointSliceOutcome {
  const { service, slices } = state;
  if (isTerminating(service) || !managesEndpoints(service)) return { actions: [], hints: new Map() };
  const live = slices.filter((slice) => !isTerminating(slice));
  const taken = new Set<Live<EndpointSlice>>();
  const placements = groupEndpoints(state).flatMap((group) => {
    const own = live.filter((slice) => slice.addressType === group.family && samePorts(slice, group.ports));
    for (const slice of own) taken.add(slice);
    return placeGroup(group, own);
  });
  const hints = new Map<Family, HintState>();
  const hinted = isTopologyAware(service) ? withTopologyHints(state, placements, hints) : placements;
  const actions = [...writePlacements(service, hinted), ...live.filter((slice) => !taken.has(slice)).map(deleteSlice)];
  return { actions: recycle(actions, live), hints };
}

/** Hints are shared out over all slices of a family. */
function withTopologyHints(
  { service, zoneShares }: EndpointSliceState,
  placements: readonly Placement[],
  states: Map<Family, HintState>,
): Placement[] {
  const shares = zoneShares();
  return familiesOf(service).flatMap((family) => {
    const own = placements.filter(({ group }) => group.family === family);
    const contents = own.map(({ slice, endpoints }) => ({ endpoints, stored: slice?.endpoints ?? [] }));
    const outcome = topologyAwareHints(contents, shares);
    states.set(family, 'refusal' in outcome ? { enabled: false, ...outcome } : { enabled: true });
    if ('refusal' in outcome) return own;
    return own.map((placement, index) => ({ ...placement, endpoints: outcome.slices[index] ?? [] }));
  });
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
  const zone = node(nodeName)?.metadata.labels?.[ZONE_LABEL];
  const hostname = endpointHostname(service, pod);
  const { name, namespace, uid } = pod.metadata;
  const conditions = endpointConditions(service, pod);
  // Topology aware routing comes before it.
  const distribution = isTopologyAware(service) ? undefined : service.spec.trafficDistribution;
  const hints = conditions.ready ? hintsOf(distribution, nodeName, zone) : undefined;
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
function placeGroup(group: Group, slices: readonly Live<EndpointSlice>[]): Placement[] {
  const left = new Map(group.endpoints);
  const contents = slices.map((slice) => {
    const endpoints: Endpoint[] = [];
    for (const { addresses } of slice.endpoints ?? []) {
      const entry = left.get(addresses[0] ?? '');
      if (entry === undefined) continue;
      endpoints.push(entry.endpoint);
      left.delete(addresses[0] ?? '');
    }
    return { group, slice, endpoints };
  });
  const rest = [...left.values()].map(({ endpoint }) => endpoint);
  for (const { endpoints } of contents)
    endpoints.push(...rest.splice(0, Math.max(0, MAX_ENDPOINTS - endpoints.length)));
  const created: Placement[] = [];
  while (rest.length > 0) created.push({ group, slice: undefined, endpoints: rest.splice(0, MAX_ENDPOINTS) });
  if (slices.length === 0 && created.length === 0) created.push({ group, slice: undefined, endpoints: [] });
  return [...contents, ...created];
}

/** An empty slice goes, unless it is the only one of its group. */
function writePlacements(service: Live<Service>, placements: readonly Placement[]): Action[] {
  const filled = new Set(placements.filter(({ endpoints }) => endpoints.length > 0).map(({ group }) => group));
  return placements.flatMap((placement): Action[] => {
    const { group, slice, endpoints } = placement;
    if (slice === undefined) {
      return [{ kind: 'create', resource: ENDPOINTSLICES, object: newSlice(service, group, endpoints) }];
    }
    const isPlaceholder = placement === placements.find((other) => other.group === group);
    if (endpoints.length > 0 || (isPlaceholder && !filled.has(group))) {
      return updateSlice(service, group, slice, endpoints);
    }
    return [deleteSlice(slice)];
  });
}

function updateSlice(
  service: Live<Service>,
  group: Group,
  slice: Live<EndpointSlice>,
  endpoints: readonly Endpoint[],
): Action[] {
  const labels = sliceLabels(service);
  if (same(slice.endpoints ?? [], endpoints) && same(slice.metadata.labels, labels)) return [];
  const annotations = { ...slice.metadata.annotations };
  delete annotations[LAST_CHANGE];
  Object.assign(annotations, changeAnnotation(changeTimeMs(group, slice.endpoints ?? [], endpoints)));
  const metadata = { ...slice.metadata, labels, annotations };
  const object: EndpointSlice = { ...slice, metadata, endpoints: [...endpoints] };
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

function newSlice(service: Live<Service>, group: Group, endpoints: readonly Endpoint[]): EndpointSlice {
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
    endpoints: [...endpoints],
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
