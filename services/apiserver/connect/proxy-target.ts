/**
 * Which port of which pod `pods/NAME/proxy` and `services/NAME/proxy` mean, and which kubelet `nodes/NAME/proxy`. Names have the forms `name`, `name:port`,
 * `scheme:name:port` with a port's name or number (Kubernetes "Access Services Running on Clusters").
 */
import type { Container, Node, Service } from 'kubernetes-types/core/v1.js';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import { ENDPOINTSLICES, NODES, SERVICES } from '../../../shared/api/resources.ts';
import { badRequest, notFound, serviceUnavailable } from '../../../shared/api/status.ts';
import type { PortForwardStreamRequest } from '../../../shared/bus/subjects.ts';
import type { Random } from '../../../shared/runtime/random.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';
import type { KubeletRequest } from './node-streams.ts';
import { type PodTarget, podTarget } from './pod-target.ts';

/** Where a request is passed on to. */
export interface ProxyTarget {
  readonly node: string;
  readonly request: PortForwardStreamRequest | KubeletRequest;
  /** For the Host header. */
  readonly host: string;
  readonly tls: boolean;
  /** For messages: `pod web, port 80`. */
  readonly what: string;
}

export const KUBELET_PORT = 10_250;

interface NameParts {
  readonly scheme: string;
  readonly name: string;
  /** Empty when none was given. */
  readonly port: string;
}

const DEFAULT_PORT = 80;
const SERVICE_LABEL = 'kubernetes.io/service-name';

/** Throws BadRequest for a malformed name. */
export function splitProxyName(text: string): NameParts {
  const parts = text.split(':');
  const [scheme, name, port] =
    parts.length === 1 ? ['', parts[0]!, ''] : parts.length === 2 ? ['', parts[0]!, parts[1]!] : parts;
  const valid = parts.length <= 3 && name !== '' && (scheme === '' || scheme === 'http' || scheme === 'https');
  if (!valid) throw badRequest(`invalid proxy request ${JSON.stringify(text)}: expected [http:|https:]NAME[:PORT]`);
  return { scheme: scheme ?? '', name: name ?? '', port: port ?? '' };
}

export function podProxyTarget(storage: ObjectStorage, text: string, namespace: string): ProxyTarget {
  const { scheme, name, port } = splitProxyName(text);
  const pod = podTarget(storage, name, namespace);
  const containers = pod.pod.spec.containers ?? [];
  return targetOf(pod, port === '' ? firstPort(containers) : podPort(containers, port), scheme === 'https');
}

function targetOf({ pod, name, namespace, node }: PodTarget, port: number, tls: boolean): ProxyTarget {
  return {
    node,
    request: { kind: 'port-forward', namespace, pod: name, port },
    host: `${pod.status?.podIP ?? name}:${port}`,
    tls,
    what: `pod ${name}, port ${port}`,
  };
}

/** Nothing but the kubelet listens on a node for this. Throws NotFound, ServiceUnavailable for other ports. */
export function nodeProxyTarget(storage: ObjectStorage, text: string): ProxyTarget {
  const { name, port } = splitProxyName(text);
  const node = storage.get(NODES, name);
  if (node === undefined) throw notFound(NODES, name);
  const address = (node as unknown as Node).status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
  const host = `${address ?? name}:${port || KUBELET_PORT}`;
  if (port !== '' && port !== String(KUBELET_PORT)) {
    throw serviceUnavailable(`error trying to reach service: dial tcp ${host}: connect: connection refused`);
  }
  return { node: name, request: { kind: 'kubelet' }, host, tls: false, what: `the kubelet of node ${name}` };
}

function firstPort(containers: readonly Container[]): number {
  return containers.flatMap((container) => container.ports ?? [])[0]?.containerPort ?? DEFAULT_PORT;
}

function podPort(containers: readonly Container[], text: string): number {
  const named = containers.flatMap((container) => container.ports ?? []).find((port) => port.name === text);
  const port = named?.containerPort ?? Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw badRequest(`invalid port ${JSON.stringify(text)}`);
}

/** A ready endpoint of the Service, by chance. Throws ServiceUnavailable when there is none. */
export function serviceProxyTarget(
  storage: ObjectStorage,
  text: string,
  namespace: string,
  random: Random,
): ProxyTarget {
  const { scheme, name, port } = splitProxyName(text);
  const object = storage.get(SERVICES, name, namespace);
  if (object === undefined) throw notFound(SERVICES, name);
  // What the store holds has passed the decoder of its kind.
  const portName = servicePortName(object as unknown as Service, port);
  const choices = portName === undefined ? [] : endpoints(storage, name, namespace, portName);
  const choice = choices[random.integer(0, Math.max(1, choices.length))];
  if (choice === undefined) throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(text)}`);
  return targetOf(podTarget(storage, choice.pod, namespace), choice.port, scheme === 'https');
}

/** The name under which EndpointSlices list the port; undefined when the Service has no such port. */
function servicePortName({ spec }: Service, text: string): string | undefined {
  const ports = spec?.ports ?? [];
  const found = text === '' ? ports[0] : ports.find((port) => port.name === text || String(port.port) === text);
  return found === undefined ? undefined : (found.name ?? '');
}

function endpoints(
  storage: ObjectStorage,
  service: string,
  namespace: string,
  portName: string,
): { readonly pod: string; readonly port: number }[] {
  const found: { pod: string; port: number }[] = [];
  for (const { object } of storage.of(ENDPOINTSLICES).values()) {
    const { metadata } = object;
    if (metadata.namespace !== namespace || metadata.labels?.[SERVICE_LABEL] !== service) continue;
    const slice = object as unknown as EndpointSlice;
    const port = slice.ports?.find((candidate) => (candidate.name ?? '') === portName)?.port;
    for (const { targetRef, conditions } of slice.endpoints ?? []) {
      const ready = conditions?.ready !== false;
      if (ready && port !== undefined && targetRef?.kind === 'Pod' && targetRef.name) {
        found.push({ pod: targetRef.name, port });
      }
    }
  }
  return found;
}
