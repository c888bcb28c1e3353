/** The kubelet's way to pod networks: the CNI plugin, then host ports; undone in reverse. */
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Host } from '../../shared/netstack/host.ts';
import type { PodNetwork } from '../../shared/podnet/pod-network.ts';
import { formatIpv4, type Ipv4Prefix } from '../../shared/wire/address.ts';
import { formatAddress, type IpPrefix } from '../../shared/wire/ip-address.ts';
import type { CniPlugin, NodeNetworkUp } from '../cni/plugin.ts';
import { hostPortsOf, type PortMap } from '../cni/portmap/portmap.ts';
import type { PodAttachment, SandboxNetworks } from './sandbox.ts';

export interface CniNetworksOptions {
  /** Undefined with `--cni none`. */
  readonly plugin: CniPlugin | undefined;
  readonly portMap: PortMap;
  /** Told of every pod within the turn that plugs it in; absent where policies have no effect. */
  readonly policy?: PodPolicy;
  readonly node: SandboxNetworks['node'];
  /** Sockets on a network namespace. */
  readonly networkOf: (host: Host) => PodNetwork;
  /** Runs a call as a turn of the event loop. */
  readonly inTurn: <Result>(call: () => Result) => Result;
}

export interface PodPolicy {
  attach(pod: Pod, addresses: readonly number[]): void;
  detach(uid: string): void;
}

const NOT_CONFIGURED = 'network plugin is not ready: cni config uninitialized';

export class CniNetworks implements SandboxNetworks {
  readonly node: SandboxNetworks['node'];
  private readonly options: CniNetworksOptions;
  private up: NodeNetworkUp | undefined;

  constructor(options: CniNetworksOptions) {
    this.options = options;
    this.node = options.node;
  }

  get notReadyReason(): string | undefined {
    return this.up === undefined ? NOT_CONFIGURED : undefined;
  }

  /** The node has its pod CIDR; undefined when there is no plugin or the node is set up already. */
  setUpNode(podCidr: Ipv4Prefix, podCidrIpv6: IpPrefix | undefined): NodeNetworkUp | undefined {
    const { plugin, inTurn } = this.options;
    if (plugin === undefined || this.up !== undefined) return undefined;
    this.up = inTurn(() => plugin.setUpNode(podCidr, podCidrIpv6));
    return this.up;
  }

  async attach(pod: Pod): Promise<PodAttachment> {
    return this.options.inTurn(() => this.attachNow(pod));
  }

  private attachNow(pod: Pod): PodAttachment {
    const { plugin, portMap, policy, networkOf, inTurn } = this.options;
    if (plugin === undefined) throw new Error(NOT_CONFIGURED);
    const { namespace, name, uid = '' } = pod.metadata ?? {};
    const attachment = plugin.attach({ uid, id: `${namespace}/${name}` });
    try {
      portMap.add(uid, hostPortsOf(pod, attachment.address));
    } catch (error) {
      attachment.detach();
      throw error;
    }
    const { address, addressIpv6 } = attachment;
    policy?.attach(pod, addressIpv6 === undefined ? [address] : [address, addressIpv6]);
    const network = networkOf(attachment.host);
    let attached = true;
    const detach = async (): Promise<void> => {
      if (!attached) return;
      attached = false;
      network.close();
      inTurn(() => {
        policy?.detach(uid);
        portMap.remove(uid);
        attachment.detach();
      });
    };
    const textIpv6 = addressIpv6 === undefined ? undefined : formatAddress(addressIpv6);
    return { host: attachment.host, network, address: formatIpv4(address), addressIpv6: textIpv6, detach };
  }
}
