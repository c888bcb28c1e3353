/**
 * The network of one node as its kubelet has it: the CNI plugin, the files that configure it, NetworkPolicy where the plugin
 * enforces it.
 *
 *   --cni flannel -> plugin -> its file in /etc/cni/net.d
 *   --cni none    -> somebody's file in /etc/cni/net.d, somebody's daemon -> plugin
 */
import type { Host } from '../shared/netstack/host.ts';
import type { PodNetwork } from '../shared/podnet/pod-network.ts';
import { backendsOf, CNI_PLUGINS, type CniPluginName, enforcesPolicy } from '../shared/runtime/cni-plugins.ts';
import { formatPrefix } from '../shared/wire/ip-address.ts';
import type { ClusterAccess } from './cni/cluster-access.ts';
import type { NetworkConfiguration } from './cni/network-configuration.ts';
import { type CniDaemon, NodeCni } from './cni/node-cni.ts';
import type { CniContext, CniPlugin, NodeNetworkUp } from './cni/plugin.ts';
import { PortMap } from './cni/portmap/portmap.ts';
import { type CreatePlugin, loadPlugin } from './cni/registry.ts';
import { FileNode, GeneratedFile } from './images/files/file-node.ts';
import { watchedFiles } from './images/files/watched-files.ts';
import type { NodeKernel } from './kernel.ts';
import { type CommandOutput, failed, pluginOutput, printed } from './kernel-view/command-output.ts';
import type { Command } from './kernel-view/kernel-view.ts';
import { CniNetworks } from './pods/cni-networks.ts';
import { CNI_CONFIGURATION_FOLDER, NodeFolders } from './pods/node-folders.ts';
import type { PolicyAgent } from './policy/policy-agent.ts';

export interface NodeNetworkOptions {
  readonly kernel: NodeKernel;
  readonly leases: CniContext['leases'];
  readonly bgpHoldSeconds: number;
  readonly instanceType: string | undefined;
  readonly cluster: ClusterAccess;
  readonly node: CniNetworks['node'];
  readonly networkOf: (host: Host) => PodNetwork;
  /** A line of a plugin's own log. */
  readonly log: (plugin: CniPluginName, line: string) => void;
  /** Begins to enforce policies. */
  readonly createPolicy: (name: CniPluginName, plugin: CniPlugin) => PolicyAgent;
}

export interface NodeNetworkListener {
  readonly installed: (name: CniPluginName, plugin: CniPlugin) => void;
  readonly up: (network: NodeNetworkUp) => void;
}

export class NodeNetwork {
  readonly folders = new NodeFolders();
  readonly cni: NodeCni;
  readonly networks: CniNetworks;
  /** Undefined where the CNI plugin enforces no NetworkPolicy. */
  policy: PolicyAgent | undefined;
  /** Who is told of a network that comes while the node runs. */
  listener: NodeNetworkListener | undefined;
  private readonly options: NodeNetworkOptions;

  constructor(options: NodeNetworkOptions) {
    const { kernel, node, networkOf } = options;
    const { datapath, loop } = kernel;
    this.options = options;
    this.cni = new NodeCni({
      wanted: (daemon) => this.installLate(daemon),
      installed: (name, plugin) => this.installed(name, plugin),
      up: (network) => this.listener?.up(network),
    });
    this.networks = new CniNetworks({
      cni: this.cni,
      portMap: new PortMap(datapath),
      policy: () => this.policy,
      node,
      networkOf,
      inTurn: (call) => loop.run(call),
    });
  }

  /** For pods on the node's own network. */
  readonly commands: Readonly<Record<string, Command>> = {
    'cni-daemon': (words) => this.daemonStarted(words),
    'cni-command': (words) => this.pluginCommand(words),
  };

  /** `create` is the daemon's plugin, as it was loaded; undefined (of `none`) waits for files. */
  start(daemon: CniDaemon, create: CreatePlugin | undefined): void {
    if (create === undefined) this.followFiles();
    else this.install(daemon, create);
  }

  /** Writes the file of a plugin that was there from the start, once it knows the node's pod CIDR. */
  writeConfiguration(): void {
    const configuration = this.cni.plugin?.configuration();
    const folder = this.folders.find(CNI_CONFIGURATION_FOLDER)?.directory;
    if (configuration === undefined || folder === undefined || folder.entries.size > 0) return;
    folder.set(configuration.fileName, new FileNode(fileBytes(configuration)));
  }

  /** `cni-daemon PLUGIN BACKEND NAME=VALUE ...` prints the node's pod CIDR. */
  private daemonStarted([pluginName = '', backendName = '', ...assignments]: readonly string[]): CommandOutput {
    const name = CNI_PLUGINS.find((candidate) => candidate === pluginName);
    if (name === undefined) return failed(`there is no plugin '${pluginName}'`);
    const backend = backendsOf(name).find((candidate) => candidate === backendName);
    if (backend === undefined && backendName !== '')
      return failed(`the plugin '${name}' has no backend '${backendName}' here`);
    const settings = Object.fromEntries(assignments.map((assignment) => assignment.split(/=(.*)/s).slice(0, 2)));
    const podCidr = this.options.kernel.loop.run(() => this.cni.daemonStarted({ name, backend, settings }));
    return podCidr === undefined
      ? failed('failed to acquire lease: node pod cidr not assigned')
      : printed(formatPrefix(podCidr));
  }

  /** `cni-command NAME WORDS...`: a command of the plugin. */
  private pluginCommand([name = '', ...words]: readonly string[]): CommandOutput {
    const output = this.cni.plugin?.commands?.()[name]?.(words);
    if (output === undefined) return failed(`${name}: the node has no network that knows it`);
    return pluginOutput(['cni-command', name], output);
  }

  private install(daemon: CniDaemon, create: CreatePlugin): void {
    const { name, backend } = daemon;
    this.options.kernel.loop.run(() => this.cni.install(name, () => create(this.contextOf(daemon), backend)));
  }

  private installLate(daemon: CniDaemon): void {
    loadPlugin(daemon.name).then(
      (create) => create !== undefined && this.install(daemon, create),
      (error: unknown) => this.options.cluster.log.error({ error }, 'the network cannot be installed'),
    );
  }

  private contextOf({ name, settings }: CniDaemon): CniContext {
    const { kernel, leases, bgpHoldSeconds, instanceType, cluster } = this.options;
    return {
      datapath: kernel.datapath,
      leases,
      bgpHoldSeconds,
      instanceType,
      settings,
      cluster,
      pods: () => this.policy?.knownPods() ?? [],
      up: (network) => this.cni.nowUp(network),
      log: (line) => this.options.log(name, line),
    };
  }

  private followFiles(): void {
    const folder = this.folders.find(CNI_CONFIGURATION_FOLDER)?.directory;
    if (folder === undefined) return;
    watchedFiles(folder, (files) => this.options.kernel.loop.run(() => this.cni.configurationChanged(files)));
  }

  private keepFiles(plugin: CniPlugin): void {
    for (const [path, read] of Object.entries(plugin.files?.() ?? {})) {
      const end = path.lastIndexOf('/');
      const folder = this.folders.find(path.slice(0, end))?.directory;
      if (folder === undefined) throw new Error(`${path}: the node has no such folder`);
      folder.set(path.slice(end + 1), new GeneratedFile(read));
    }
  }

  private installed(name: CniPluginName, plugin: CniPlugin): void {
    if (enforcesPolicy(name)) this.policy = this.options.createPolicy(name, plugin);
    this.keepFiles(plugin);
    this.listener?.installed(name, plugin);
  }
}

function fileBytes({ content }: NetworkConfiguration): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(content, null, 2)}\n`);
}
