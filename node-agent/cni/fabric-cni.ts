/** What the plugins of clouds share: pods with addresses of the cloud's network. */
import type { Ipv4Prefix } from '../../shared/wire/address.ts';
import { datapathPeer } from './datapath-peer.ts';
import type { NetworkConfiguration } from './network-configuration.ts';
import type { CniAttachment, CniContext, CniPlugin, NodeNetworkUp, PeerNode, PodAttachRequest } from './plugin.ts';

/** Who gives out addresses and plugs pods in. */
export interface FabricPods {
  setUpNode(podCidr: Ipv4Prefix, podCidrIpv6: undefined): void;
  attach(request: PodAttachRequest): CniAttachment;
  retainOnly(podUids: ReadonlySet<string>): void;
}

export interface FabricPlugin {
  readonly pods: FabricPods;
  readonly configuration: NetworkConfiguration;
  readonly up: NodeNetworkUp;
  /** By path. */
  readonly files: Readonly<Record<string, () => string>>;
}

export class FabricCni implements CniPlugin {
  private readonly context: CniContext;
  private readonly plugin: FabricPlugin;

  constructor(context: CniContext, plugin: FabricPlugin) {
    this.context = context;
    this.plugin = plugin;
  }

  annotations(): Record<string, string> {
    return {};
  }

  configuration(): NetworkConfiguration {
    return this.plugin.configuration;
  }

  files(): FabricPlugin['files'] {
    return this.plugin.files;
  }

  setUpNode(podCidr: Ipv4Prefix): NodeNetworkUp {
    this.plugin.pods.setUpNode(podCidr, undefined);
    return this.plugin.up;
  }

  attach(request: PodAttachRequest): CniAttachment {
    return this.plugin.pods.attach(request);
  }

  retainOnly(podUids: ReadonlySet<string>): void {
    this.plugin.pods.retainOnly(podUids);
  }

  setPeer(peer: PeerNode): void {
    const known = datapathPeer(peer);
    if (known !== undefined) this.context.datapath.setPeer(known);
  }

  removePeer(name: string): void {
    this.context.datapath.removePeer(name);
  }
}
