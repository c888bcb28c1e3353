/** Where other nodes reach this node's socket. */
import type { NetworkInterfaceInfo } from 'node:os';
import type { LinkEndpoint } from '../datapath/link.ts';

export interface AdvertisedEndpointOptions {
  /** What the user says; wins. */
  readonly advertise: { readonly host: string; readonly port: number } | undefined;
  readonly bound: LinkEndpoint;
  /** As `os.networkInterfaces()` lists them. */
  readonly interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>;
}

/**
 * A socket bound to every address is reached at this machine's own one, as in a container. Throws when there is none, or
 * several to choose from: only the user can know which of them the other nodes see.
 */
export function advertisedEndpoint({ advertise, bound, interfaces }: AdvertisedEndpointOptions): LinkEndpoint {
  if (advertise !== undefined) return { address: advertise.host, port: advertise.port };
  if (bound.address !== '0.0.0.0') return bound;
  const candidates = Object.values(interfaces)
    .flatMap((list) => list ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
  const [address] = candidates;
  if (address === undefined || candidates.length > 1) {
    const found = candidates.length === 0 ? 'no address' : candidates.join(', ');
    throw new Error(
      `the node's socket is bound to 0.0.0.0 and this machine has ${found}: set PODWIRE_NODE_ADVERTISE=HOST:PORT`,
    );
  }
  return { address, port: bound.port };
}
