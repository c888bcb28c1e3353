/**
 * Chain names: a prefix and the first 16 characters of the base32 of a SHA-256, as kube-proxy has made them since 1.2, so that
 * the chains of a real cluster with the same Services have the same names.
 */
import { type Endpoint, endpointText } from '../endpoint.ts';
import type { ServicePort } from '../service-port.ts';

/** SHA-256 of a text's UTF-8 bytes; given by the edge, as hashing is the platform's. */
export type Sha256 = (text: string) => Uint8Array;

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const NAME_CHARACTERS = 16;

function hashName(sha256: Sha256, text: string): string {
  const digest = sha256(text);
  let name = '';
  let bits = 0;
  let value = 0;
  for (const byte of digest) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      name += BASE32[(value >>> (bits - 5)) & 31];
      if (name.length === NAME_CHARACTERS) return name;
      bits -= 5;
    }
    value &= (1 << bits) - 1;
  }
  return name;
}

export interface ServiceChainNames {
  /** All endpoints. */
  readonly cluster: string;
  /** Endpoints of this node. */
  readonly local: string;
  /** Traffic from outside. */
  readonly external: string;
  /** loadBalancerSourceRanges. */
  readonly firewall: string;
}

export function serviceChainNames(port: ServicePort, sha256: Sha256): ServiceChainNames {
  const hash = hashName(sha256, port.name + port.protocol);
  return {
    cluster: `KUBE-SVC-${hash}`,
    local: `KUBE-SVL-${hash}`,
    external: `KUBE-EXT-${hash}`,
    firewall: `KUBE-FW-${hash}`,
  };
}

export function endpointChainName(port: ServicePort, endpoint: Endpoint, sha256: Sha256): string {
  return `KUBE-SEP-${hashName(sha256, port.name + port.protocol + endpointText(endpoint))}`;
}
