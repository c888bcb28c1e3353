/** The legacy Endpoints object of a Service: the first family, at most 1000 addresses, grouped by equal ports. */
import type {
  EndpointAddress,
  EndpointPort,
  EndpointSubset,
  Endpoints,
  Pod,
  Service,
} from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../../shared/api/live.ts';
import { isTerminating } from '../../../../shared/api/pod-condition.ts';
import { ENDPOINTS } from '../../../../shared/api/resources.ts';
import { formatTimestamp } from '../../../../shared/api/timestamp.ts';
import { NOTHING, type Outcome } from '../../action.ts';
import { same } from '../../same.ts';
import {
  addressesOf,
  endpointConditions,
  endpointHostname,
  familiesOf,
  LAST_CHANGE,
  managesEndpoints,
  resolvePorts,
  selectedPods,
  triggerTimeMs,
} from './service-endpoints.ts';

const HEADLESS = 'service.kubernetes.io/headless';
const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity';
const MAX_ADDRESSES = 1000;

export interface EndpointsState {
  readonly service: Live<Service>;
  /** All pods of the namespace. */
  readonly pods: readonly Live<Pod>[];
  readonly endpoints: Live<Endpoints> | undefined;
}

interface Subset {
  readonly ports: EndpointPort[];
  readonly ready: EndpointAddress[];
  readonly notReady: EndpointAddress[];
}

export function reconcileEndpoints({ service, pods, endpoints }: EndpointsState): Outcome {
  if (isTerminating(service) || !managesEndpoints(service)) return NOTHING;
  const selected = selectedPods(service, pods).filter(
    (pod) => !isTerminating(pod) || service.spec.publishNotReadyAddresses,
  );
  const subsets = subsetsOf(service, selected.slice(0, MAX_ADDRESSES));
  const labels: Record<string, string> = {
    ...service.metadata.labels,
    ...(service.spec.clusterIP === 'None' ? { [HEADLESS]: '' } : {}),
  };
  if (
    endpoints !== undefined &&
    same(endpoints.subsets ?? [], subsets) &&
    same(endpoints.metadata.labels ?? {}, labels)
  ) {
    return NOTHING;
  }
  const changedMs = Math.max(0, ...selected.map(triggerTimeMs));
  const { [LAST_CHANGE]: _, [OVER_CAPACITY]: __, ...others } = endpoints?.metadata.annotations ?? {};
  const annotations = {
    ...others,
    ...(changedMs > 0 ? { [LAST_CHANGE]: formatTimestamp(changedMs) } : {}),
    ...(selected.length > MAX_ADDRESSES ? { [OVER_CAPACITY]: 'truncated' } : {}),
  };
  const object: Endpoints = {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      ...endpoints?.metadata,
      name: service.metadata.name,
      namespace: service.metadata.namespace,
      labels,
      ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    },
    subsets,
  };
  return { actions: [{ kind: endpoints === undefined ? 'create' : 'update', resource: ENDPOINTS, object }] };
}

function subsetsOf(service: Live<Service>, pods: readonly Live<Pod>[]): EndpointSubset[] {
  const subsets = new Map<string, Subset>();
  const family = familiesOf(service)[0] ?? 'IPv4';
  for (const pod of pods) {
    const [ip] = addressesOf(pod, family);
    if (ip === undefined) continue;
    const ports = resolvePorts(service, pod).map(portOf);
    if (ports.length === 0 && (service.spec.ports ?? []).length > 0) continue;
    const subset = subsets.get(JSON.stringify(ports)) ?? { ports, ready: [], notReady: [] };
    subsets.set(JSON.stringify(ports), subset);
    (endpointConditions(service, pod).ready ? subset.ready : subset.notReady).push(addressOf(service, pod, ip));
  }
  return [...subsets.values()].map(({ ports, ready, notReady }) => ({
    ...(ready.length > 0 ? { addresses: ready.sort(byAddress) } : {}),
    ...(notReady.length > 0 ? { notReadyAddresses: notReady.sort(byAddress) } : {}),
    ...(ports.length > 0 ? { ports } : {}),
  }));
}

function portOf({ name, port, protocol, appProtocol }: ReturnType<typeof resolvePorts>[number]): EndpointPort {
  return {
    ...(name === '' ? {} : { name }),
    port,
    protocol,
    ...(appProtocol === undefined ? {} : { appProtocol }),
  };
}

function addressOf(service: Live<Service>, pod: Live<Pod>, ip: string): EndpointAddress {
  const hostname = endpointHostname(service, pod);
  const { name, namespace, uid } = pod.metadata;
  return {
    ip,
    ...(hostname === undefined ? {} : { hostname }),
    nodeName: pod.spec.nodeName,
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}

function byAddress(a: EndpointAddress, b: EndpointAddress): number {
  return a.ip < b.ip ? -1 : a.ip > b.ip ? 1 : 0;
}
