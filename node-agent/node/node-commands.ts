/**
 * Commands of the node itself (`podwire node exec`): a shell and the usual network tools over the node's root network
 * namespace, with those that only a node has. They run in a container of their own kind, made for the first command.
 */
import type { Host } from '../../shared/netstack/host.ts';
import type { PodNetwork } from '../../shared/podnet/pod-network.ts';
import type { PluginOutput } from '../cni/plugin.ts';
import type { NodeDatapath } from '../datapath/path.ts';
import { kernelProgram } from '../images/commands/kernel/kernel.ts';
import type { Image, KernelView, Program, ProgramContext } from '../images/image.ts';
import { findImage } from '../images/registry.ts';
import { CommandNotStartedError, type RunningContainer, startContainer } from '../images/runtime.ts';
import { NODE_ONLY_COMMANDS, nodeKernelView } from '../kernel-view/kernel-view.ts';
import type { Turn } from '../kernel-view/turn.ts';
import { CommandStartError, type ProcessStreams } from '../pods/container-runtime.ts';
import type { NodeFolders } from '../pods/node-folders.ts';
import { netnsExec } from './netns-exec.ts';

export interface NodeCommandsOptions {
  readonly nodeName: string;
  readonly datapath: NodeDatapath;
  readonly turn: Turn;
  /** Of the CNI plugin, which may come later. */
  readonly pluginCommands: () => PluginCommands;
  /** What of the node's file system is shared with pods. */
  readonly folders: Pick<NodeFolders, 'mounts'>;
  /** Of the root namespace. */
  readonly network: PodNetwork;
  /** Of a pod, for `ip netns exec`. */
  readonly networkOf: (host: Host) => PodNetwork;
  readonly hostsFile: () => string;
  readonly resolvConf: () => string;
}

type PluginCommands = Readonly<Record<string, (words: readonly string[]) => PluginOutput>>;

/** Has the tools that a node's administrator would use. */
const TOOLS_IMAGE = 'nicolaka/netshoot';

export class NodeCommands {
  private readonly options: NodeCommandsOptions;
  private image: Image | undefined;
  private container: RunningContainer | undefined;
  /** Of the plugin, as the container has them. */
  private commands = '';

  constructor(options: NodeCommandsOptions) {
    this.options = options;
  }

  /** Resolves with the exit code; rejects with CommandStartError when there is no such command. */
  async run(command: readonly string[], streams: ProcessStreams, signal: AbortSignal): Promise<number> {
    const { network, datapath } = this.options;
    const pluginCommands = this.options.pluginCommands();
    const commands = Object.keys(pluginCommands);
    // A plugin that came meanwhile brought commands of its own.
    if (this.image === undefined || commands.join(' ') !== this.commands) {
      this.stop();
      this.image = nodeImage(commands, (context) => this.ip(context));
    }
    this.commands = commands.join(' ');
    const kernel = () => nodeKernelView(datapath, { more: pluginCommands, turn: this.options.turn });
    this.container ??= this.start(this.image, network, kernel());
    try {
      return await this.container.exec(command, streams, signal);
    } catch (error) {
      if (error instanceof CommandNotStartedError) throw new CommandStartError(error.message);
      throw error;
    }
  }

  stop(): void {
    this.container?.signal('SIGKILL');
    this.container = undefined;
  }

  private ip(context: ProgramContext): Promise<number> {
    const { datapath, networkOf, turn } = this.options;
    const startContainer = (network: PodNetwork, kernel: KernelView) => this.start(this.image!, network, kernel);
    const exec = netnsExec(context.argv, { datapath, networkOf, turn, startContainer });
    return (exec ?? kernelProgram('ip'))(context);
  }

  private start(image: Image, network: PodNetwork, kernel: KernelView): RunningContainer {
    const { nodeName, folders, hostsFile, resolvConf } = this.options;
    return startContainer({
      image,
      command: ['sleep', 'infinity'],
      environment: {},
      podName: nodeName,
      namespace: '',
      hostname: nodeName,
      containerName: 'node',
      nodeName,
      network,
      kernel,
      etcHosts: hostsFile(),
      resolvConf: resolvConf(),
      mounts: folders.mounts(),
      onOutput: () => undefined,
    });
  }
}

function nodeImage(pluginCommands: readonly string[], ip: Program): Image {
  const tools = findImage(TOOLS_IMAGE);
  if (tools === undefined) throw new Error(`the image ${TOOLS_IMAGE} is missing, which holds the node's commands`);
  const own = Object.fromEntries([...NODE_ONLY_COMMANDS, ...pluginCommands].map((name) => [name, kernelProgram(name)]));
  return { ...tools, repositories: [], programs: { ...tools.programs, ...own, ip } };
}
