/** Where a node's real socket is and which MAC its emulated eth0 has: published whatever the CNI plugin, for the nodes to reach each other. */
import { formatMac, parseMac } from '../../shared/wire/address.ts';
import type { LinkEndpoint } from '../datapath/link.ts';

export const ENDPOINT_ANNOTATION = 'podwire.dev/underlay-endpoint';
export const MAC_ANNOTATION = 'podwire.dev/underlay-mac';

export interface UnderlayAddress {
  readonly endpoint: LinkEndpoint;
  readonly mac: number;
}

export function encodeUnderlay({ endpoint, mac }: UnderlayAddress): Record<string, string> {
  return { [ENDPOINT_ANNOTATION]: `${endpoint.address}:${endpoint.port}`, [MAC_ANNOTATION]: formatMac(mac) };
}

/** Undefined when the annotations are missing or malformed. */
export function decodeUnderlay(annotations: Readonly<Record<string, string>>): UnderlayAddress | undefined {
  const endpoint = decodeEndpoint(annotations[ENDPOINT_ANNOTATION] ?? '');
  const mac = parseMac(annotations[MAC_ANNOTATION] ?? '');
  return endpoint === undefined || mac === undefined ? undefined : { endpoint, mac };
}

function decodeEndpoint(text: string): LinkEndpoint | undefined {
  const colon = text.lastIndexOf(':');
  const port = Number(text.slice(colon + 1));
  if (colon <= 0 || !Number.isInteger(port) || port < 1 || port > 65_535) return undefined;
  return { address: text.slice(0, colon), port };
}
