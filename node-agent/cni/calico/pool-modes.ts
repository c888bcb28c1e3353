/** What the IPPools say of packets for their pods: changes take effect while the cluster runs. */
import { type IpPrefix, isInNetwork } from '../../../shared/wire/ip-address.ts';
import type { Tunnelling } from '../../datapath/network/bgp-backend.ts';
import { type Encapsulation, isVxlan } from '../../datapath/network/routed-network.ts';
import type { IpPool } from './ipam/ip-pool.ts';

function poolOf(pools: readonly IpPool[], { address }: IpPrefix): IpPool | undefined {
  return pools.find(({ cidr }) => isInNetwork(address, cidr.address, cidr.prefixLength));
}

/** Of routes that BGP brings; undefined of what is in no pool. */
export function tunnellingOf(pools: readonly IpPool[], prefix: IpPrefix): Tunnelling | undefined {
  const mode = poolOf(pools, prefix)?.ipipMode;
  if (mode === undefined) return undefined;
  return mode === 'Always' ? 'ipip' : mode === 'CrossSubnet' ? 'ipip-cross-subnet' : 'none';
}

/** Whether `vxlan.calico` is for nodes of other subnets alone; undefined where the pool does not speak of VXLAN. */
export function isVxlanCrossSubnet(pools: readonly IpPool[], prefix: IpPrefix): boolean | undefined {
  const mode = poolOf(pools, prefix)?.vxlanMode ?? 'Never';
  return mode === 'Never' ? undefined : mode === 'CrossSubnet';
}

/** Whether the node sends through a tunnel that wants an address. */
export function needsTunnel(encapsulation: Encapsulation, pools: readonly IpPool[]): boolean {
  return isVxlan(encapsulation) || encapsulation !== 'none' || pools.some(({ ipipMode }) => ipipMode !== 'Never');
}
