/** Where a packet for a target ends up: a Service's endpoints, a pod, a node, an address. */
import type { Node, Pod, Service, ServicePort } from 'kubernetes-types/core/v1.js';
import type { Endpoint, EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import { isInNetwork, parseAddress, parsePrefix } from '../../shared/wire/ip-address.ts';
import type { ClusterObjects } from './cluster-objects.ts';
import { parseTarget, type Target, type TargetKind } from './target.ts';

export interface Backend {
  readonly address: string;
  /** Absent where the user named none and the pod declares none. */
  readonly port: number | undefined;
  readonly pod: Pod | undefined;
  /** Whose address it is, where it is a node's. */
  readonly node?: Node;
  /** Absent where it is none, and the node itself is asked. */
  readonly nodePort?: NodePort;
}

/** A Service's at a node. */
export interface NodePort {
  readonly service: Service;
  /** Ready endpoints that the node leads to. */
  readonly endpoints: number;
  /** Others, that externalTrafficPolicy Local keeps from who asks there. */
  readonly elsewhere: number;
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
  readonly client: Pod;
}

/** Names that lead to names end here, as a resolver ends them. */
const MAX_ALIASES = 8;

export function destinationOf(objects: ClusterObjects, question: DestinationQuestion, aliases = 0): Destination {
  const { target } = question;
  if (target.kind === 'address') return addressDestination(objects, question, target.address);
  if (target.kind === 'outside') return nothing(`${target.name} is no name of the cluster's: ${UNANSWERED}`);
  const { name, namespace, only } = target;
  const isNamed = ({ metadata }: Pod | Service): boolean => metadata?.name === name && metadata.namespace === namespace;
  const service = isMeant(target, 'service') ? objects.services.find(isNamed) : undefined;
  if (service?.spec?.type === 'ExternalName') return aliasDestination(objects, service, question, aliases);
  if (service !== undefined) return serviceDestination(objects, service, question, service.spec?.ipFamilies?.[0]);
  const pod = isMeant(target, 'pod') ? objects.pods.find(isNamed) : undefined;
  const node = isMeant(target, 'node') ? objects.nodes.find(({ metadata }) => metadata?.name === name) : undefined;
  if (pod === undefined && node !== undefined) return nodeDestination(objects, node, question);
  if (pod === undefined) {
    if (only === 'node') return nothing(`there is no node ${name}`);
    const what = only === undefined ? 'Service or pod' : only === 'pod' ? 'pod' : 'Service';
    return nothing(`there is no ${what} ${namespace}/${name}`);
  }
  const address = pod.status?.podIP;
  if (address === undefined || isOver(pod)) {
    return nothing(`pod ${namespace}/${name} is ${pod.status?.phase ?? 'Pending'} and has no address`);
  }
  return directDestination(address, pod, question);
}

function isMeant({ only }: { readonly only?: TargetKind }, kind: TargetKind): boolean {
  return only === undefined || only === kind;
}

/** At the port that was asked for, by number or by the name that a container gives it, or at the first that is declared. */
function directDestination(
  address: string,
  pod: Pod | undefined,
  { target, protocol }: DestinationQuestion,
): Destination {
  const { port, portName } = target;
  const declared = (pod?.spec?.containers ?? [])
    .flatMap(({ ports = [] }) => ports)
    .filter((one) => (one.protocol ?? 'TCP') === protocol);
  if (portName === undefined) {
    return { kind: 'direct', backend: { address, port: port ?? declared[0]?.containerPort, pod } };
  }
  const found = declared.find(({ name }) => name === portName);
  if (found !== undefined) return { kind: 'direct', backend: { address, port: found.containerPort, pod } };
  const names = declared.flatMap(({ name }) => name ?? []);
  const has = names.length === 0 ? 'none with a name' : names.join(', ');
  const title = pod === undefined ? address : `pod ${pod.metadata?.namespace}/${pod.metadata?.name}`;
  return nothing(`${title} has no port ${portName}/${protocol}: it has ${has}`);
}

function nodeDestination(objects: ClusterObjects, node: Node, question: DestinationQuestion): Destination {
  const { port } = question.target;
  const address = node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
  if (address === undefined) return nothing(`node ${node.metadata?.name} has no address`);
  return nodeAddressDestination(objects, node, address, port, question);
}

/** A node port, or a program on the node's own network. */
function nodeAddressDestination(
  objects: ClusterObjects,
  node: Node,
  address: string,
  port: number | undefined,
  { client, protocol }: DestinationQuestion,
): Destination {
  const direct = { address, port, pod: undefined, node };
  for (const service of port === undefined ? [] : objects.services) {
    const asked = (service.spec?.ports ?? []).find(
      (one) => one.nodePort === port && (one.protocol ?? 'TCP') === protocol,
    );
    if (asked === undefined) continue;
    const ready = endpointsOf(objects, service, address.includes(':') ? 'IPv6' : 'IPv4').filter(
      ({ endpoint }) => endpoint.conditions?.ready !== false,
    );
    // To its own pods a node leads wherever endpoints are.
    const isOwn = client.spec?.nodeName === node.metadata?.name;
    const isLocal = service.spec?.externalTrafficPolicy === 'Local' && !isOwn;
    const endpoints = isLocal ? ready.filter(({ endpoint }) => isOnNode(endpoint, node.metadata?.name)) : ready;
    const nodePort = { service, endpoints: endpoints.length, elsewhere: ready.length - endpoints.length };
    return { kind: 'direct', backend: { ...direct, nodePort } };
  }
  return { kind: 'direct', backend: direct };
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
  const { port, portName } = question.target;
  const found = destinationOf(objects, { ...question, target: { ...target, port, portName } }, aliases + 1);
  return found.kind === 'nothing' ? nothing(`${title} is a name for ${spec?.externalName}: ${found.reason}`) : found;
}

function addressDestination(objects: ClusterObjects, question: DestinationQuestion, address: string): Destination {
  if (isLoopback(address)) return directDestination(address, question.client, question);
  const service = objects.services.find((one) => addressesOf(one).includes(address));
  const family = address.includes(':') ? 'IPv6' : 'IPv4';
  if (service !== undefined) return serviceDestination(objects, service, question, family);
  if (objects.serviceCidrs?.some((cidr) => contains(cidr, address))) {
    return nothing(`no Service has the address ${address}`);
  }
  const node = objects.nodes.find(({ status }) => status?.addresses?.some((one) => one.address === address));
  if (node !== undefined) return nodeAddressDestination(objects, node, address, question.target.port, question);
  const pod = podAt(objects, address);
  const { port, portName } = question.target;
  // Without a name for it, only the one that was asked for: whoever knows the address knows the port.
  if (portName === undefined) return { kind: 'direct', backend: { address, port, pod } };
  return directDestination(address, pod, question);
}

/** 127.0.0.0/8 and ::1: the client's own. */
export function isLoopback(address: string): boolean {
  return contains('127.0.0.0/8', address) || contains('::1/128', address);
}

function serviceDestination(
  objects: ClusterObjects,
  service: Service,
  { target, protocol, client }: DestinationQuestion,
  family = 'IPv4',
): Destination {
  const { spec } = service;
  const wanted = target.port;
  const ports = (spec?.ports ?? []).filter((port) => (port.protocol ?? 'TCP') === protocol);
  const isHeadless = spec?.clusterIP === 'None';
  const port = portOf(ports, target, isHeadless);
  if (port === undefined) return nothing(withoutPort(objects, service, target, protocol));
  const all = endpointsOf(objects, service, family);
  const ready = all.filter(({ endpoint }) => endpoint.conditions?.ready !== false);
  const isLocal = spec?.internalTrafficPolicy === 'Local' && !isHeadless;
  const reachable = isLocal ? ready.filter(({ endpoint }) => isOnNode(endpoint, client.spec?.nodeName)) : ready;
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

function portOf(
  ports: readonly ServicePort[],
  { port, portName }: Target,
  isHeadless: boolean,
): ServicePort | undefined {
  if (portName !== undefined) return ports.find(({ name }) => name === portName);
  return port === undefined || isHeadless ? ports[0] : ports.find((one) => one.port === port);
}

/** Of a pod that has the Service's name it may be what was meant. */
function withoutPort(
  { pods }: ClusterObjects,
  { metadata, spec }: Service,
  { port, portName }: Target,
  protocol: string,
): string {
  const named = (name: string | undefined): string => (name === undefined ? '' : ` (${name})`);
  const has = (spec?.ports ?? []).map((one) => `${one.port}/${one.protocol ?? 'TCP'}${named(one.name)}`).join(', ');
  const title = `${metadata?.namespace}/${metadata?.name}`;
  const isNamed = (pod: Pod): boolean => `${pod.metadata?.namespace}/${pod.metadata?.name}` === title;
  const also = pods.some(isNamed) ? `; there is a pod of that name too: pod/${title}` : '';
  return `Service ${title} has no port ${portName ?? port ?? ''}/${protocol}: it has ${has || 'none'}${also}`;
}

/** Of its slices; one of a Service that selects nobody has no list. */
function endpointsOf(
  { slices }: ClusterObjects,
  { metadata }: Service,
  family: string,
): { readonly slice: EndpointSlice; readonly endpoint: Endpoint }[] {
  return slices
    .filter(
      (slice) =>
        slice.metadata?.namespace === metadata?.namespace &&
        slice.metadata?.labels?.['kubernetes.io/service-name'] === metadata?.name &&
        slice.addressType === family,
    )
    .flatMap((slice) => (slice.endpoints ?? []).map((endpoint) => ({ slice, endpoint })));
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

function contains(cidr: string, text: string): boolean {
  const prefix = parsePrefix(cidr);
  const address = parseAddress(text);
  if (prefix === undefined || address === undefined || cidr.includes(':') !== text.includes(':')) return false;
  return isInNetwork(address, prefix.address, prefix.prefixLength);
}

export function isOver({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}
