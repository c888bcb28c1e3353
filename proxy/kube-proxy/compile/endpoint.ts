/** The endpoints of Service ports, gathered from EndpointSlices. */
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import type { Live } from '../../../shared/api/live.ts';
import type { TopologyHints } from '../../../shared/api/topology-hints.ts';
import { compareAddresses, formatEndpoint, type IpFamily, parseAddress } from '../../../shared/wire/ip-address.ts';
import type { TransportProtocol } from './service-port.ts';

export interface Endpoint {
  /** As `shared/wire/ip-address.ts` has them. */
  readonly address: number;
  readonly port: number;
  readonly nodeName: string;
  readonly zoneHints: readonly string[];
  readonly nodeHints: readonly string[];
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
}

export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

/** `10.244.1.5:8080`, `[fd00:10:244:1::5]:8080` */
export function endpointText({ address, port }: Endpoint): string {
  return formatEndpoint(address, port);
}

const ADDRESS_TYPES: Readonly<Record<IpFamily, string>> = { ipv4: 'IPv4', ipv6: 'IPv6' };

/** `namespace/name` of the Service a slice belongs to; undefined for a slice that says none or is of another family. */
export function serviceOfSlice(slice: Live<EndpointSlice>, family: IpFamily): string | undefined {
  const name = slice.metadata.labels?.[SERVICE_NAME_LABEL];
  const isOther = slice.addressType !== ADDRESS_TYPES[family];
  return name === undefined || isOther ? undefined : `${slice.metadata.namespace ?? ''}/${name}`;
}

/** The endpoints for one port, in a stable order; an address that several slices list counts once, the first state wins. */
export function endpointsOfPort(
  slices: readonly Live<EndpointSlice>[],
  portName: string,
  protocol: TransportProtocol,
): Endpoint[] {
  const found = new Map<string, Endpoint>();
  for (const slice of slices) {
    for (const port of slice.ports ?? []) {
      if ((port.name ?? '') !== portName || (port.protocol ?? 'TCP').toLowerCase() !== protocol) continue;
      if (port.port === undefined || port.port === null) continue;
      for (const endpoint of endpointsOfSlice(slice, port.port)) {
        const key = endpointText(endpoint);
        if (!found.has(key)) found.set(key, endpoint);
      }
    }
  }
  return [...found.values()].sort((a, b) => compareAddresses(a.address, b.address) || a.port - b.port);
}

function endpointsOfSlice(slice: Live<EndpointSlice>, port: number): Endpoint[] {
  return (slice.endpoints ?? []).flatMap(({ addresses, conditions, nodeName = '', hints }) => {
    const address = parseAddress(addresses[0] ?? '');
    if (address === undefined) return [];
    const ready = conditions?.ready ?? true;
    const { forZones = [], forNodes = [] }: TopologyHints = hints ?? {};
    return [
      {
        address,
        port,
        nodeName,
        zoneHints: forZones.map(({ name }) => name),
        nodeHints: forNodes.map(({ name }) => name),
        ready,
        serving: conditions?.serving ?? ready,
        terminating: conditions?.terminating ?? false,
      },
    ];
  });
}
