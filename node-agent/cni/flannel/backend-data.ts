/** What flannel's backends publish of a node, in annotations under flannel's own names. */
import { formatMac, parseMac } from '../../../shared/wire/address.ts';

const BACKEND_TYPE = 'flannel.alpha.coreos.com/backend-type';
const BACKEND_DATA = 'flannel.alpha.coreos.com/backend-data';
const SUBNET_MANAGER = 'flannel.alpha.coreos.com/kube-subnet-manager';
const PUBLIC_IP = 'flannel.alpha.coreos.com/public-ip';

export const FLANNEL_VNI = 1;

export const FLANNEL_BACKENDS = ['vxlan', 'host-gw', 'wireguard', 'udp'] as const;
export type FlannelBackend = (typeof FLANNEL_BACKENDS)[number];

export interface BackendData {
  readonly type: FlannelBackend;
  /** 48 bits; of `vxlan` alone. */
  readonly vtepMac?: number;
  /** Of `wireguard` alone. */
  readonly publicKey?: string;
  readonly publicIp: string;
}

export function encodeBackendData(backend: BackendData): Record<string, string> {
  const { type, publicIp } = backend;
  const data = dataOf(backend);
  return {
    [BACKEND_TYPE]: type,
    [BACKEND_DATA]: JSON.stringify(data),
    [SUBNET_MANAGER]: 'true',
    [PUBLIC_IP]: publicIp,
  };
}

/** Undefined when a node runs none of these backends, or its annotations are missing or malformed. */
export function decodeBackendData(annotations: Readonly<Record<string, string>>): BackendData | undefined {
  const publicIp = annotations[PUBLIC_IP];
  const type = FLANNEL_BACKENDS.find((backend) => backend === annotations[BACKEND_TYPE]);
  if (type === undefined || publicIp === undefined) return undefined;
  if (type === 'host-gw' || type === 'udp') return { type, publicIp };
  const text = annotations[BACKEND_DATA] ?? '';
  if (type === 'wireguard') {
    const publicKey = decodeField(text, 'PublicKey');
    return publicKey === undefined ? undefined : { type, publicKey, publicIp };
  }
  const vtepMac = parseMac(decodeField(text, 'VtepMAC') ?? '');
  return vtepMac === undefined ? undefined : { type, vtepMac, publicIp };
}

function dataOf({ vtepMac, publicKey }: BackendData): unknown {
  if (publicKey !== undefined) return { PublicKey: publicKey };
  return vtepMac === undefined ? null : { VNI: FLANNEL_VNI, VtepMAC: formatMac(vtepMac) };
}

function decodeField(text: string, name: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Annotations are anyone's to write: a node with a malformed one is no peer.
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const field: unknown = Object.entries(value).find(([key]) => key === name)?.[1];
  return typeof field === 'string' ? field : undefined;
}
