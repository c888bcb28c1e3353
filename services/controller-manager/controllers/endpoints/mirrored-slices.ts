/**
 * EndpointSlices for the Endpoints that somebody wrote by hand for a Service without a selector, so that what reads only
 * slices (kube-proxy, CoreDNS) finds them (Kubernetes documentation, "EndpointSlices", mirroring).
 */
import type { EndpointAddress, EndpointSubset, Endpoints, Service } from 'kubernetes-types/core/v1.js';
import type { Endpoint, EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import type { Live } from '../../../../shared/api/live.ts';
import { isTerminating } from '../../../../shared/api/pod-condition.ts';
import { ENDPOINTS, ENDPOINTSLICES } from '../../../../shared/api/resources.ts';
import { type Action, NOTHING, type Outcome } from '../../action.ts';
import { controllerReference } from '../../owner.ts';
import { same } from '../../same.ts';
import { MANAGED_BY, SERVICE_NAME } from './endpointslice.ts';
import { type Family, LAST_CHANGE, managesEndpoints } from './service-endpoints.ts';

export const MIRRORING = 'endpointslicemirroring-controller.k8s.io';
const SKIP = 'endpointslice.kubernetes.io/skip-mirror';
const LEADER = 'control-plane.alpha.kubernetes.io/leader';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** Of a subset; more are not mirrored. */
const MAX_ADDRESSES = 1000;

export interface MirroringState {
  readonly endpoints: Live<Endpoints>;
  readonly service: Live<Service> | undefined;
  /** The slices that mirror it. */
  readonly slices: readonly Live<EndpointSlice>[];
}

type Wanted = Pick<EndpointSlice, 'addressType' | 'endpoints' | 'ports'>;

export function isMirrorSlice({ metadata }: Live<EndpointSlice>): boolean {
  return metadata.labels?.[MANAGED_BY] === MIRRORING;
}

export function reconcileMirroring(state: MirroringState): Outcome {
  const { endpoints } = state;
  if (isTerminating(endpoints)) return NOTHING;
  const left = state.slices.filter((slice) => !isTerminating(slice));
  const actions: Action[] = [];
  for (const wanted of isMirrored(state) ? wantedSlices(endpoints) : []) {
    const index = left.findIndex(
      ({ addressType, ports }) => addressType === wanted.addressType && same(ports, wanted.ports),
    );
    const [present] = index < 0 ? [] : left.splice(index, 1);
    actions.push(...(present === undefined ? [creation(endpoints, wanted)] : update(endpoints, present, wanted)));
  }
  for (const { metadata } of left) {
    const { name, namespace, uid } = metadata;
    actions.push({ kind: 'delete', resource: ENDPOINTSLICES, name, namespace, uid });
  }
  return { actions };
}

function isMirrored({ endpoints: { metadata }, service }: MirroringState): boolean {
  if (service === undefined || managesEndpoints(service) || service.spec.type === 'ExternalName') return false;
  return metadata.labels?.[SKIP] !== 'true' && metadata.annotations?.[LEADER] === undefined;
}

function wantedSlices({ subsets = [] }: Live<Endpoints>): Wanted[] {
  return subsets.flatMap((subset) =>
    (['IPv4', 'IPv6'] as const).flatMap((family) => {
      const endpoints = endpointsOf(subset, family);
      return endpoints.length === 0 ? [] : [{ addressType: family, endpoints, ports: portsOf(subset) }];
    }),
  );
}

function portsOf({ ports = [] }: EndpointSubset): EndpointSlice['ports'] {
  return ports.map(({ name = '', port, protocol = 'TCP', appProtocol }) => ({
    name,
    port,
    protocol,
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }));
}

function endpointsOf({ addresses = [], notReadyAddresses = [] }: EndpointSubset, family: Family): Endpoint[] {
  const isOfFamily = ({ ip }: EndpointAddress): boolean => ip.includes(':') === (family === 'IPv6');
  return [
    ...addresses.filter(isOfFamily).map((address) => endpointOf(address, true)),
    ...notReadyAddresses.filter(isOfFamily).map((address) => endpointOf(address, false)),
  ].slice(0, MAX_ADDRESSES);
}

function endpointOf({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname === undefined ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  };
}

function creation(endpoints: Live<Endpoints>, wanted: Wanted): Action {
  const { name, namespace } = endpoints.metadata;
  const annotations = annotationsOf(endpoints);
  const object: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels: labelsOf(endpoints),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      ownerReferences: [controllerReference(ENDPOINTS, endpoints)],
    },
    ...wanted,
  };
  return { kind: 'create', resource: ENDPOINTSLICES, object };
}

function update(endpoints: Live<Endpoints>, present: Live<EndpointSlice>, wanted: Wanted): Action[] {
  const labels = labelsOf(endpoints);
  const annotations = annotationsOf(endpoints);
  const { metadata } = present;
  const isTrue =
    same(present.endpoints, wanted.endpoints) &&
    same(metadata.labels, labels) &&
    same(metadata.annotations ?? {}, annotations);
  if (isTrue) return [];
  const object = { ...present, ...wanted, metadata: { ...metadata, labels, annotations } };
  return [{ kind: 'update', resource: ENDPOINTSLICES, object }];
}

function labelsOf({ metadata }: Live<Endpoints>): Record<string, string> {
  return { ...metadata.labels, [SERVICE_NAME]: metadata.name, [MANAGED_BY]: MIRRORING };
}

/** All but those that are about the Endpoints object itself. */
function annotationsOf({ metadata }: Live<Endpoints>): Record<string, string> {
  const { [LAST_CHANGE]: _, [LAST_APPLIED]: __, ...rest } = metadata.annotations ?? {};
  return rest;
}
