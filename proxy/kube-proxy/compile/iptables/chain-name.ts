/**
 * Chain names: a prefix and the first 16 characters of the base32 of a SHA-256, as kube-proxy has made them since 1.2, so that
 * the chains of a real cluster with the same Services have the same names.
 */
import { type Endpoint, endpointText } from '../endpoint.ts';
import { hashName, type Sha256 } from '../hash-name.ts';
import type { ServicePort } from '../service-port.ts';

const NAME_CHARACTERS = 16;

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
  const hash = hashName(sha256, port.name + port.protocol, NAME_CHARACTERS);
  return {
    cluster: `KUBE-SVC-${hash}`,
    local: `KUBE-SVL-${hash}`,
    external: `KUBE-EXT-${hash}`,
    firewall: `KUBE-FW-${hash}`,
  };
}

export function endpointChainName(port: ServicePort, endpoint: Endpoint, sha256: Sha256): string {
  return `KUBE-SEP-${hashName(sha256, port.name + port.protocol + endpointText(endpoint), NAME_CHARACTERS)}`;
}
