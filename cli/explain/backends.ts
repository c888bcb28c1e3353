/** Where a packet for a target ends up: a Service's endpoints, a pod, an address. */
import type { Pod, Service, ServicePort } from 'kubernetes-types/core/v1.js';
import type { Endpoint, EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import { isInNetwork, parseAddress, parsePrefix } from '../../shared/wire/ip-address.ts';
import type { ClusterObjects } from './cluster-objects.ts';
import { parseTarget, type Target } from './target.ts';

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
      /** Ready ones that internalTrafficPolicy Local keeps from this client. */
      readonly elsewhere: number;
    }
  | { readonly kind: 'direct'; readonly backend: Backend }
  /** Nothing of the cluster could answer. */
  | { readonly kind: 'nothing'; readonly reason: string };

export interface DestinationQuestion {
  readonly target: Target;
  /** `TCP` */
  readonly protocol: string;
  /** The client's. */
  readonly nodeName: string | undefined;
}

/** Names that lead to names end here, as a resolver ends them. */
const MAX_ALIASES = 8;

export function destinationOf(objects: ClusterObjects, question: DestinationQuestion, aliases = 0): Destination {
  const { target, protocol } = question;
  if (target.kind === 'address') return addressDestination(objects, question, target.address);
  if (target.kind === 'outside') return nothing(`${target.name} is no name of the cluster's: ${UNANSWERED}`);
  const { name, namespace, only, port } = target;
  const isNamed = ({ metadata }: Pod | Service): boolean => metadata?.name === name && metadata.namespace === namespace;
  const service = only === 'pod' ? undefined : objects.services.find(isNamed);
  if (service?.spec?.type === 'ExternalName') return aliasDestination(objects, service, question, aliases);
  if (service !== undefined) return serviceDestination(objects, service, question, service.spec?.ipFamilies?.[0]);
  const pod = only === 'service' ? undefined : objects.pods.find(isNamed);
  if (pod === undefined) {
    const what = only === undefined ? 'Service or pod' : only === 'pod' ? 'pod' : 'Service';
    return nothing(`there is no ${what} ${namespace}/${name}`);
  }
  const address = pod.status?.podIP;
  if (address === undefined || isOver(pod)) {
    return nothing(`pod ${namespace}/${name} is ${pod.status?.phase ?? 'Pending'} and has no address`);
  }
  return { kind: 'direct', backend: { address, port: port ?? declaredPort(pod, protocol), pod } };
}

/** What is true of every name and address outside. */
export const UNANSWERED = 'nothing outside of the cluster answers here';

function nothing(reason: string): Destination {
  return { kind: 'nothing', reason };
}

/** A name for another name. */
function aliasDestination(
  objects: ClusterObjects,
  { metadata, spec }: Service,
  question: DestinationQuestion,
  aliases: number,
): Destination {
  const title = `Service ${metadata?.namespace}/${metadata?.name}`;
  const namespaces = objects.namespaces.map((one) => one.metadata?.name ?? '');
  const target = parseTarget(spec?.externalName ?? '', metadata?.namespace ?? '', namespaces);
  if (aliases >= MAX_ALIASES) return nothing(`${title} leads in a circle of names`);
  const found = destinationOf(objects, { ...question, target: { ...target, port: question.target.port } }, aliases + 1);
  return found.kind === 'nothing' ? nothing(`${title} is a name for ${spec?.externalName}: ${found.reason}`) : found;
}

function addressDestination(objects: ClusterObjects, question: DestinationQuestion, address: string): Destination {
  const service = objects.services.find((one) => addressesOf(one).includes(address));
  const family = address.includes(':') ? 'IPv6' : 'IPv4';
  if (service !== undefined) return serviceDestination(objects, service, question, family);
  if (objects.serviceCidrs?.some((cidr) => contains(cidr, address))) {
    return nothing(`no Service has the address ${address}`);
  }
  return { kind: 'direct', backend: { address, port: question.target.port, pod: podAt(objects, address) } };
}

function serviceDestination(
  objects: ClusterObjects,
  service: Service,
  { target, protocol, nodeName }: DestinationQuestion,
  family = 'IPv4',
): Destination {
  const { metadata, spec } = service;
  const wanted = target.port;
  const ports = (spec?.ports ?? []).filter((port) => (port.protocol ?? 'TCP') === protocol);
  const isHeadless = spec?.clusterIP === 'None';
  const port = wanted === undefined || isHeadless ? ports[0] : ports.find((one) => one.port === wanted);
  if (port === undefined) {
    const has = (spec?.ports ?? []).map((one) => `${one.port}/${one.protocol ?? 'TCP'}`).join(', ');
    const title = `Service ${metadata?.namespace}/${metadata?.name}`;
    return nothing(`${title} has no port ${wanted ?? ''}/${protocol}: it has ${has || 'none'}`);
  }
  const slices = objects.slices.filter(
    (slice) =>
      slice.metadata?.namespace === metadata?.namespace &&
      slice.metadata?.labels?.['kubernetes.io/service-name'] === metadata?.name &&
      slice.addressType === family,
  );
  // A slice of a Service that selects nobody has no list.
  const all = slices.flatMap((slice) => (slice.endpoints ?? []).map((endpoint) => ({ slice, endpoint })));
  const ready = all.filter(({ endpoint }) => endpoint.conditions?.ready !== false);
  const isLocal = spec?.internalTrafficPolicy === 'Local' && !isHeadless;
  const reachable = isLocal ? ready.filter(({ endpoint }) => isOnNode(endpoint, nodeName)) : ready;
  const backends = reachable.flatMap(({ slice, endpoint }) => {
    // A headless Service is only a name: the packet goes to the port that was asked for.
    const number = isHeadless && wanted !== undefined ? wanted : slicePort(slice, port);
    const [address] = endpoint.addresses;
    return address === undefined || number === undefined
      ? []
      : [{ address, port: number, pod: targetOf(objects, endpoint) ?? podAt(objects, address) }];
  });
  const [waiting, elsewhere] = [all.length - ready.length, ready.length - reachable.length];
  return { kind: 'service', service, port, backends, waiting, elsewhere };
}

function isOnNode({ nodeName }: Endpoint, wanted: string | undefined): boolean {
  return nodeName !== undefined && nodeName === wanted;
}

function slicePort({ ports }: EndpointSlice, { name = '', protocol = 'TCP' }: ServicePort): number | undefined {
  return ports?.find((port) => (port.name ?? '') === name && (port.protocol ?? 'TCP') === protocol)?.port;
}

/** Those at which pods are led to its endpoints: the cluster's, and those that it has outside. */
function addressesOf({ spec, status }: Service): readonly string[] {
  const own = spec?.clusterIPs ?? (spec?.clusterIP === undefined ? [] : [spec.clusterIP]);
  const balanced = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
  return [...own, ...(spec?.externalIPs ?? []), ...balanced];
}

function targetOf({ pods }: ClusterObjects, { targetRef }: Endpoint): Pod | undefined {
  if (targetRef?.kind !== 'Pod') return undefined;
  return pods.find(({ metadata }) => metadata?.name === targetRef.name && metadata?.namespace === targetRef.namespace);
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

function contains(cidr: string, text: string): boolean {
  const prefix = parsePrefix(cidr);
  const address = parseAddress(text);
  if (prefix === undefined || address === undefined || cidr.includes(':') !== text.includes(':')) return false;
  return isInNetwork(address, prefix.address, prefix.prefixLength);
}

export function isOver({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}
