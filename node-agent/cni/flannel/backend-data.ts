/** What flannel's backends publish of a node, in annotations under flannel's own names. */
import { formatMac, parseMac } from '../../../shared/wire/address.ts';

const BACKEND_TYPE = 'flannel.alpha.coreos.com/backend-type';
const BACKEND_DATA = 'flannel.alpha.coreos.com/backend-data';
const SUBNET_MANAGER = 'flannel.alpha.coreos.com/kube-subnet-manager';
const PUBLIC_IP = 'flannel.alpha.coreos.com/public-ip';

export const FLANNEL_VNI = 1;

export const FLANNEL_BACKENDS = ['vxlan', 'host-gw'] as const;
export type FlannelBackend = (typeof FLANNEL_BACKENDS)[number];

export interface BackendData {
  readonly type: FlannelBackend;
  /** 48 bits; of `vxlan` alone. */
  readonly vtepMac: number | undefined;
  readonly publicIp: string;
}

export function encodeBackendData({ type, vtepMac, publicIp }: BackendData): Record<string, string> {
  const data = vtepMac === undefined ? null : { VNI: FLANNEL_VNI, VtepMAC: formatMac(vtepMac) };
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
  if (type === 'host-gw') return { type, vtepMac: undefined, publicIp };
  const vtepMac = decodeVtepMac(annotations[BACKEND_DATA] ?? '');
  return vtepMac === undefined ? undefined : { type, vtepMac, publicIp };
}

function decodeVtepMac(text: string): number | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Annotations are anyone's to write: a node with a malformed one is no peer.
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('VtepMAC' in value)) return undefined;
  return typeof value.VtepMAC === 'string' ? parseMac(value.VtepMAC) : undefined;
}
