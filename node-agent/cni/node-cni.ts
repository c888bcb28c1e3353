/**
 * The CNI plugin of a node: there from the start (`--cni flannel`), or installed later by who writes a configuration into
 * /etc/cni/net.d and runs the plugin's daemon. A plugin that comes late is told all that happened before.
 */
import type { CniBackend, CniPluginName } from '../../shared/runtime/cni-plugins.ts';
import type { Ipv4Prefix } from '../../shared/wire/address.ts';
import type { IpPrefix } from '../../shared/wire/ip-address.ts';
import { type ConfigurationFile, configuredPlugins } from './network-configuration.ts';
import type { CniPlugin, NodeNetworkUp, PeerNode } from './plugin.ts';

/** Needs nobody who runs: the container runtime calls it, and it is done. */
const WITHOUT_DAEMON: readonly CniPluginName[] = ['bridge'];

export interface NodeCniOptions {
  /** The daemon that runs has its configuration: its plugin is to be installed, however often this is said. */
  readonly wanted: (daemon: CniDaemon) => void;
  /** A plugin is there; its node may not be set up yet. */
  readonly installed: (name: CniPluginName, plugin: CniPlugin) => void;
  readonly up: (network: NodeNetworkUp) => void;
}

/** What a plugin is told by who starts it. */
export interface CniDaemon {
  readonly name: CniPluginName;
  readonly backend: CniBackend | undefined;
  /** By the names of the environment of its daemon. */
  readonly settings: Readonly<Record<string, string>>;
}

export class NodeCni {
  plugin: CniPlugin | undefined;
  /** Pods can be attached. */
  isUp = false;
  private readonly options: NodeCniOptions;
  private readonly peers = new Map<string, PeerNode>();
  private self: PeerNode | undefined;
  private podCidrs: { readonly ipv4: Ipv4Prefix; readonly ipv6: IpPrefix | undefined } | undefined;
  private survivors: ReadonlySet<string> | undefined;
  private configured: readonly CniPluginName[] = [];
  private daemon: CniDaemon | undefined;
  private isSetUp = false;
  private areNodesKnown = false;

  constructor(options: NodeCniOptions) {
    this.options = options;
  }

  /** A node has one plugin in its life; another start of the node may have another one. */
  install(name: CniPluginName, create: () => CniPlugin): void {
    if (this.plugin !== undefined) return;
    const plugin = create();
    this.plugin = plugin;
    this.options.installed(name, plugin);
    if (this.survivors !== undefined) plugin.retainOnly(this.survivors);
    if (this.self !== undefined) plugin.setSelf?.(this.self);
    this.setUp();
    for (const peer of this.peers.values()) plugin.setPeer(peer);
    if (this.areNodesKnown) plugin.nodesKnown?.();
  }

  /** What is in /etc/cni/net.d now. */
  configurationChanged(files: readonly ConfigurationFile[]): void {
    this.configured = configuredPlugins(files);
    this.consider();
  }

  /** The node's pod CIDR, for the daemon to go on with; undefined while the node has none. */
  daemonStarted(daemon: CniDaemon): Ipv4Prefix | undefined {
    if (this.podCidrs === undefined) return undefined;
    this.daemon = daemon;
    this.consider();
    return this.podCidrs.ipv4;
  }

  setPodCidr(ipv4: Ipv4Prefix, ipv6: IpPrefix | undefined): void {
    if (this.podCidrs !== undefined) return;
    this.podCidrs = { ipv4, ipv6 };
    this.setUp();
  }

  setSelf(self: PeerNode): void {
    this.self = self;
    this.plugin?.setSelf?.(self);
  }

  setPeer(peer: PeerNode): void {
    this.peers.set(peer.name, peer);
    this.plugin?.setPeer(peer);
  }

  /** All nodes that there are have been told of. */
  nodesKnown(): void {
    this.areNodesKnown = true;
    this.plugin?.nodesKnown?.();
  }

  removePeer(name: string): void {
    this.peers.delete(name);
    this.plugin?.removePeer(name);
  }

  retainOnly(podUids: ReadonlySet<string>): void {
    this.survivors = podUids;
    this.plugin?.retainOnly(podUids);
  }

  nowUp(network: NodeNetworkUp): void {
    this.isUp = true;
    this.options.up(network);
  }

  private consider(): void {
    if (this.plugin !== undefined) return;
    const running = this.configured.find((name) => name === this.daemon?.name);
    const alone = this.configured.find((name) => WITHOUT_DAEMON.includes(name));
    if (running !== undefined)
      this.options.wanted({ name: running, backend: this.daemon?.backend, settings: this.daemon?.settings ?? {} });
    else if (alone !== undefined) this.options.wanted({ name: alone, backend: undefined, settings: {} });
  }

  private setUp(): void {
    const { plugin, podCidrs } = this;
    if (plugin === undefined || podCidrs === undefined || this.isSetUp) return;
    this.isSetUp = true;
    const network = plugin.setUpNode(podCidrs.ipv4, podCidrs.ipv6);
    if (network !== undefined) this.nowUp(network);
  }
}
