/** What flannel's VXLAN backend publishes of a node, in annotations under flannel's own names. */
import { formatMac, parseMac } from '../../../shared/wire/address.ts';

const BACKEND_TYPE = 'flannel.alpha.coreos.com/backend-type';
const BACKEND_DATA = 'flannel.alpha.coreos.com/backend-data';
const SUBNET_MANAGER = 'flannel.alpha.coreos.com/kube-subnet-manager';
const PUBLIC_IP = 'flannel.alpha.coreos.com/public-ip';

export const FLANNEL_VNI = 1;

export interface VxlanBackendData {
  /** 48 bits. */
  readonly vtepMac: number;
  readonly publicIp: string;
}

export function encodeBackendData(data: VxlanBackendData): Record<string, string> {
  return {
    [BACKEND_TYPE]: 'vxlan',
    [BACKEND_DATA]: JSON.stringify({ VNI: FLANNEL_VNI, VtepMAC: formatMac(data.vtepMac) }),
    [SUBNET_MANAGER]: 'true',
    [PUBLIC_IP]: data.publicIp,
  };
}

/** Undefined when a node runs another backend, or its annotations are missing or malformed. */
export function decodeBackendData(annotations: Readonly<Record<string, string>>): VxlanBackendData | undefined {
  const publicIp = annotations[PUBLIC_IP];
  if (annotations[BACKEND_TYPE] !== 'vxlan' || publicIp === undefined) return undefined;
  const vtepMac = decodeVtepMac(annotations[BACKEND_DATA] ?? '');
  return vtepMac === undefined ? undefined : { vtepMac, publicIp };
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
