/** Pods with addresses of their node's pod CIDR, as the plugins have them that leave addresses to `host-local`. */
import type { Ipv4Prefix } from '../../../shared/wire/address.ts';
import { addressPlus, type IpPrefix } from '../../../shared/wire/ip-address.ts';
import { attachLeased } from '../leased-pod.ts';
import type { CniAttachment, CniContext, PodAttachRequest } from '../plugin.ts';
import { HostLocalIpam } from './host-local.ts';

export class HostLocalPods {
  private readonly context: CniContext;
  private ipam: HostLocalIpam | undefined;
  /** Told before the node had its pod CIDR. */
  private survivors: ReadonlySet<string> | undefined;

  constructor(context: CniContext) {
    this.context = context;
  }

  setUpNode(podCidr: Ipv4Prefix, podCidrIpv6: IpPrefix | undefined): void {
    const { datapath, leases } = this.context;
    datapath.setPodCidr(podCidr);
    if (podCidrIpv6 !== undefined) datapath.setPodCidrIpv6(podCidrIpv6);
    this.ipam = new HostLocalIpam({ network: podCidr.address, prefixLength: podCidr.prefixLength }, leases);
    if (this.survivors !== undefined) this.ipam.retainOnly(this.survivors);
  }

  attach(request: PodAttachRequest): CniAttachment {
    const { datapath } = this.context;
    const addressIpv6 = (address: number) => this.pairOf(address);
    return attachLeased({ datapath, ipam: this.ipam, addressIpv6 }, request);
  }

  /** A pod has the same place in both of its node's networks, so that one lease stands for both. */
  private pairOf(address: number): number | undefined {
    const { podCidr, podCidrIpv6 } = this.context.datapath;
    if (podCidr === null || podCidrIpv6 === null) return undefined;
    return addressPlus(podCidrIpv6.address, address - podCidr.address);
  }

  retainOnly(podUids: ReadonlySet<string>): void {
    this.survivors = podUids;
    this.ipam?.retainOnly(podUids);
  }
}
