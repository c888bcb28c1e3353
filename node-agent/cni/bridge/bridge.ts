/**
 * The CNI plugins `bridge` and `host-local` with a static route for each node, as kubenet and the tutorials that build a
 * cluster by hand have it; see README.md.
 */
import type { Ipv4Prefix } from '../../../shared/wire/address.ts';
import { formatPrefix, type IpPrefix } from '../../../shared/wire/ip-address.ts';
import { BridgedNetwork } from '../../datapath/network/bridged-network.ts';
import { HostGatewayBackend } from '../../datapath/network/host-gateway-backend.ts';
import type { NetworkParts } from '../../datapath/network/node-network.ts';
import { datapathPeer } from '../datapath-peer.ts';
import { HostLocalPods } from '../ipam/host-local-pods.ts';
import type { NetworkConfiguration } from '../network-configuration.ts';
import type { CniAttachment, CniContext, CniPlugin, NodeNetworkUp, PeerNode, PodAttachRequest } from '../plugin.ts';
import { kubenetRules } from './kubenet-rules.ts';

export function staticRoutesNetwork(parts: NetworkParts): BridgedNetwork {
  return new BridgedNetwork(parts, new HostGatewayBackend(parts, undefined), {
    bridgeName: 'cni0',
    rules: kubenetRules,
  });
}

export class Bridge implements CniPlugin {
  private readonly context: CniContext;
  private readonly pods: HostLocalPods;

  constructor(context: CniContext) {
    this.context = context;
    this.pods = new HostLocalPods(context);
    context.datapath.use(staticRoutesNetwork);
  }

  annotations(): Record<string, string> {
    return {};
  }

  configuration(): NetworkConfiguration {
    const { podCidr } = this.context.datapath;
    const ranges = podCidr === null ? [] : [[{ subnet: formatPrefix(podCidr) }]];
    return {
      fileName: '10-bridge.conf',
      content: {
        cniVersion: '1.0.0',
        name: 'bridge',
        type: 'bridge',
        bridge: 'cni0',
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        ipam: { type: 'host-local', ranges, routes: [{ dst: '0.0.0.0/0' }] },
      },
    };
  }

  /** In the words of the route controller, which makes the routes where kubenet runs. */
  setUpNode(podCidr: Ipv4Prefix, podCidrIpv6: IpPrefix | undefined): NodeNetworkUp {
    this.pods.setUpNode(podCidr, podCidrIpv6);
    return { reason: 'RouteCreated', message: 'RouteController created a route' };
  }

  attach(request: PodAttachRequest): CniAttachment {
    return this.pods.attach(request);
  }

  retainOnly(podUids: ReadonlySet<string>): void {
    this.pods.retainOnly(podUids);
  }

  setPeer(peer: PeerNode): void {
    const known = datapathPeer(peer);
    if (known !== undefined) this.context.datapath.setPeer(known);
  }

  removePeer(name: string): void {
    this.context.datapath.removePeer(name);
  }
}
