/** Where a packet for a target ends up: a Service's endpoints, a pod, an address. */
import type { Pod, Service, ServicePort } from 'kubernetes-types/core/v1.js';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import type { ClusterObjects } from './cluster-objects.ts';
import type { Target } from './target.ts';

export interface Backend {
  readonly address: string;
  /** Absent where the user named none and the pod declares none. */
  readonly port: number | undefined;
  readonly pod: Pod | undefined;
}

export type Destination =
  | {
      readonly kind: 'service';
      readonly service: Service;
      readonly port: ServicePort;
      readonly backends: readonly Backend[];
      /** Endpoints that are not ready. */
      readonly waiting: number;
    }
  | { readonly kind: 'direct'; readonly backend: Backend }
  /** Nothing of the cluster could answer. */
  | { readonly kind: 'nothing'; readonly reason: string };

export function destinationOf(objects: ClusterObjects, target: Target, protocol: string): Destination {
  if (target.kind === 'address') return addressDestination(objects, target.address, target.port, protocol);
  const { name, namespace, only, port } = target;
  const isNamed = ({ metadata }: Pod | Service): boolean => metadata?.name === name && metadata.namespace === namespace;
  const service = only === 'pod' ? undefined : objects.services.find(isNamed);
  if (service !== undefined) return serviceDestination(objects, service, port, protocol);
  const pod = only === 'service' ? undefined : objects.pods.find(isNamed);
  if (pod === undefined) {
    const what = only === undefined ? 'Service or pod' : only === 'pod' ? 'pod' : 'Service';
    return { kind: 'nothing', reason: `there is no ${what} ${namespace}/${name}` };
  }
  const address = pod.status?.podIP;
  if (address === undefined || isOver(pod)) {
    return {
      kind: 'nothing',
      reason: `pod ${namespace}/${name} is ${pod.status?.phase ?? 'Pending'} and has no address`,
    };
  }
  return { kind: 'direct', backend: { address, port: port ?? declaredPort(pod, protocol), pod } };
}

function addressDestination(
  objects: ClusterObjects,
  address: string,
  port: number | undefined,
  protocol: string,
): Destination {
  const service = objects.services.find(({ spec }) => clusterIps(spec).includes(address));
  if (service !== undefined) return serviceDestination(objects, service, port, protocol);
  return { kind: 'direct', backend: { address, port, pod: podAt(objects, address) } };
}

function serviceDestination(
  objects: ClusterObjects,
  service: Service,
  wanted: number | undefined,
  protocol: string,
): Destination {
  const { metadata, spec } = service;
  const title = `Service ${metadata?.namespace}/${metadata?.name}`;
  if (spec?.type === 'ExternalName') {
    return { kind: 'nothing', reason: `${title} is only a name for ${spec.externalName}: ask about that` };
  }
  const ports = (spec?.ports ?? []).filter((port) => (port.protocol ?? 'TCP') === protocol);
  const isHeadless = spec?.clusterIP === 'None';
  const port = wanted === undefined || isHeadless ? ports[0] : ports.find((one) => one.port === wanted);
  if (port === undefined) {
    const has = (spec?.ports ?? []).map((one) => `${one.port}/${one.protocol ?? 'TCP'}`).join(', ');
    return { kind: 'nothing', reason: `${title} has no port ${wanted ?? ''}/${protocol}: it has ${has || 'none'}` };
  }
  const slices = objects.slices.filter(
    (slice) =>
      slice.metadata?.namespace === metadata?.namespace &&
      slice.metadata?.labels?.['kubernetes.io/service-name'] === metadata?.name,
  );
  const endpoints = slices.flatMap((slice) => slice.endpoints.map((endpoint) => ({ slice, endpoint })));
  const ready = endpoints.filter(({ endpoint }) => endpoint.conditions?.ready !== false);
  const backends = ready.flatMap(({ slice, endpoint }) => {
    // A headless Service is only a name: the packet goes to the port that was asked for.
    const number = isHeadless && wanted !== undefined ? wanted : slicePort(slice, port);
    const [address] = endpoint.addresses;
    return address === undefined || number === undefined
      ? []
      : [{ address, port: number, pod: podAt(objects, address) }];
  });
  return { kind: 'service', service, port, backends, waiting: endpoints.length - ready.length };
}

function slicePort({ ports }: EndpointSlice, { name = '', protocol = 'TCP' }: ServicePort): number | undefined {
  return ports?.find((port) => (port.name ?? '') === name && (port.protocol ?? 'TCP') === protocol)?.port;
}

function clusterIps(spec: Service['spec']): readonly string[] {
  return spec?.clusterIPs ?? (spec?.clusterIP === undefined ? [] : [spec.clusterIP]);
}

function podAt({ pods }: ClusterObjects, address: string): Pod | undefined {
  return pods.find(
    (pod) => !isOver(pod) && !pod.spec?.hostNetwork && (pod.status?.podIPs ?? []).some(({ ip }) => ip === address),
  );
}

function declaredPort({ spec }: Pod, protocol: string): number | undefined {
  return spec?.containers.flatMap(({ ports = [] }) => ports).find((port) => (port.protocol ?? 'TCP') === protocol)
    ?.containerPort;
}

export function isOver({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}
