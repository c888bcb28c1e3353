/** The kubelet's way to pod networks: the CNI plugin, then host ports; undone in reverse. */
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Host } from '../../shared/netstack/host.ts';
import type { PodNetwork } from '../../shared/podnet/pod-network.ts';
import { formatIpv4 } from '../../shared/wire/address.ts';
import { formatAddress } from '../../shared/wire/ip-address.ts';
import { addFailed } from '../cni/add-failed.ts';
import { AddressesExhaustedError } from '../cni/ipam/host-local.ts';
import type { NodeCni } from '../cni/node-cni.ts';
import { hostPortsOf, type PortMap } from '../cni/portmap/portmap.ts';
import type { PodAttachment, SandboxNetworks } from './sandbox.ts';

export interface CniNetworksOptions {
  readonly cni: Pick<NodeCni, 'plugin' | 'isUp'>;
  readonly portMap: PortMap;
  /** Told of every pod within the turn that plugs it in; undefined where policies have no effect. */
  readonly policy: () => PodPolicy | undefined;
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

  constructor(options: CniNetworksOptions) {
    this.options = options;
    this.node = options.node;
  }

  get notReadyReason(): string | undefined {
    return this.options.cni.isUp ? undefined : NOT_CONFIGURED;
  }

  async attach(pod: Pod): Promise<PodAttachment> {
    const { namespace = '', name = '', uid = '', annotations = {} } = pod.metadata ?? {};
    const { plugin } = this.options.cni;
    try {
      await plugin?.reserve?.({ uid, id: `${namespace}/${name}`, namespace, name, annotations });
      return this.options.inTurn(() => this.attachNow(pod));
    } catch (error) {
      if (plugin === undefined || !(error instanceof AddressesExhaustedError)) throw error;
      throw new AddressesExhaustedError(addFailed(plugin.configuration(), uid, error.message));
    }
  }

  private attachNow(pod: Pod): PodAttachment {
    const { cni, portMap, networkOf, inTurn } = this.options;
    const { plugin } = cni;
    const policy = this.options.policy();
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
