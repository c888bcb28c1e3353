/** What a pod's annotations, and its namespace's, ask of IPAM: `cni.projectcalico.org/ipv4pools`, `cni.projectcalico.org/ipAddrs`. */
import { parseIpv4 } from '../../../shared/wire/address.ts';
import type { PodReservation } from '../plugin.ts';
import type { AddressRequest } from './ipam/assignment.ts';

type Annotations = Readonly<Record<string, string>>;

const POOLS_ANNOTATION = 'cni.projectcalico.org/ipv4pools';
const ADDRESSES_ANNOTATION = 'cni.projectcalico.org/ipAddrs';

/** What is annotated is no list of names, or of one address; the pod waits until it is. */
export class PodAnnotationError extends Error {
  override readonly name = 'PodAnnotationError';
}

export function podHandle(uid: string): string {
  return `k8s-pod-network.${uid}`;
}

export interface RequestPlace {
  readonly node: string;
  readonly timestamp: string;
  readonly namespaceAnnotations: Annotations;
}

/** Throws PodAnnotationError. */
export function podRequest(pod: PodReservation, place: RequestPlace): AddressRequest {
  const { uid, namespace, name, annotations } = pod;
  const { node, timestamp, namespaceAnnotations } = place;
  const holder = { handle_id: podHandle(uid), secondary: { namespace, node, pod: name, timestamp } };
  const addresses = listOf(annotations, ADDRESSES_ANNOTATION);
  if (addresses !== undefined) {
    const address = addresses.length === 1 ? parseIpv4(addresses[0]!) : undefined;
    if (address === undefined) throw new PodAnnotationError(`${ADDRESSES_ANNOTATION}: expected one IPv4 address`);
    return { holder, address };
  }
  const pools = listOf(annotations, POOLS_ANNOTATION) ?? listOf(namespaceAnnotations, POOLS_ANNOTATION);
  return pools === undefined ? { holder } : { holder, pools };
}

function listOf(annotations: Annotations, name: string): string[] | undefined {
  const text = annotations[name];
  if (text === undefined) return undefined;
  const list = parsed(text);
  if (!Array.isArray(list) || !list.every((one) => typeof one === 'string'))
    throw new PodAnnotationError(`${name}: expected a JSON list of texts, as in '["10.244.0.0/16"]', found '${text}'`);
  return list;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
