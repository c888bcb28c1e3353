/** Names of the chains and sets of a Service port: a short hash, then what a reader wants to know. */
import { formatAddress } from '../../../../shared/wire/ip-address.ts';
import type { Endpoint } from '../endpoint.ts';
import { hashName, type Sha256 } from '../hash-name.ts';
import type { ServicePort } from '../service-port.ts';

const HASH_CHARACTERS = 8;
/** NFT_NAME_MAXLEN less the longest prefix. */
const MAX_BASE_CHARACTERS = 240;

export interface NftPortNames {
  readonly cluster: string;
  readonly local: string;
  readonly external: string;
  readonly firewall: string;
}

export interface NftEndpointNames {
  readonly chain: string;
  readonly affinity: string;
}

function hashed(text: string, sha256: Sha256): string {
  const name = `${hashName(sha256, text, HASH_CHARACTERS)}-${text}`;
  return name.length > MAX_BASE_CHARACTERS ? `${name.slice(0, MAX_BASE_CHARACTERS - 3)}...` : name;
}

/** `default/web/tcp/http` */
function portText({ namespace, serviceName, protocol, portName }: ServicePort): string {
  return `${namespace}/${serviceName}/${protocol}/${portName}`;
}

export function portNames(port: ServicePort, sha256: Sha256): NftPortNames {
  const base = hashed(portText(port), sha256);
  return {
    cluster: `service-${base}`,
    local: `local-${base}`,
    external: `external-${base}`,
    firewall: `firewall-${base}`,
  };
}

export function endpointNames(port: ServicePort, endpoint: Endpoint, sha256: Sha256): NftEndpointNames {
  const address = formatAddress(endpoint.address).replaceAll(':', '.');
  const base = hashed(`${portText(port)}__${address}/${endpoint.port}`, sha256);
  return { chain: `endpoint-${base}`, affinity: `affinity-${base}` };
}
