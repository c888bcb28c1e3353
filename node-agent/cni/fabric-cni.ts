/** What the plugins of clouds share: pods with addresses of the cloud's network, over `FabricNetwork`. */
import type { Ipv4Prefix } from '../../shared/wire/address.ts';
import { FabricNetwork, type FabricOptions } from '../datapath/network/fabric-network.ts';
import { datapathPeer } from './datapath-peer.ts';
import { HostLocalPods } from './ipam/host-local-pods.ts';
import type { NetworkConfiguration } from './network-configuration.ts';
import type { CniAttachment, CniContext, CniPlugin, NodeNetworkUp, PeerNode, PodAttachRequest } from './plugin.ts';

export interface FabricPlugin {
  readonly network: FabricOptions;
  readonly configuration: NetworkConfiguration;
  readonly up: NodeNetworkUp;
}

export class FabricCni implements CniPlugin {
  private readonly context: CniContext;
  private readonly plugin: FabricPlugin;
  private readonly pods: HostLocalPods;

  constructor(context: CniContext, plugin: FabricPlugin) {
    this.context = context;
    this.plugin = plugin;
    this.pods = new HostLocalPods(context);
    context.datapath.use((parts) => new FabricNetwork(parts, plugin.network));
  }

  annotations(): Record<string, string> {
    return {};
  }

  configuration(): NetworkConfiguration {
    return this.plugin.configuration;
  }

  setUpNode(podCidr: Ipv4Prefix): NodeNetworkUp {
    this.pods.setUpNode(podCidr, undefined);
    return this.plugin.up;
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
