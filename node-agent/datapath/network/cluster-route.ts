/** The one route of a node that reaches all other nodes' pods through a single device. */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import type { RouteSpec } from '../../../shared/netstack/route.ts';
import { addressBits } from '../../../shared/wire/ip-address.ts';
import { isIpv6 } from '../../../shared/wire/ipv6-table.ts';
import type { NetworkParts } from './node-network.ts';

/** Gives the device an address of the node's own network, and routes the cluster's network of that family to it. */
export function routeCluster(
  { root, clusterCidr, clusterCidrIpv6 }: NetworkParts,
  device: NetDevice,
  network: number,
  attributes: Omit<RouteSpec, 'destination' | 'prefixLength' | 'device'> = {},
): void {
  root.addAddress(device, network, addressBits(network));
  const cluster = isIpv6(network) ? clusterCidrIpv6 : clusterCidr;
  if (cluster === undefined) return;
  const { address: destination, prefixLength } = cluster;
  root.routes.replace({ destination, prefixLength, device, ...attributes });
}
