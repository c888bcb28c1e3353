/**
 * Commands of the node itself (`podwire node exec`): a shell and the usual network tools over the node's root network
 * namespace, with those that only a node has. They run in a container of their own kind, made for the first command.
 */
import type { PodNetwork } from '../../shared/podnet/pod-network.ts';
import type { NodeDatapath } from '../datapath/path.ts';
import type { Image, Program } from '../images/image.ts';
import { write } from '../images/program-io.ts';
import { findImage } from '../images/registry.ts';
import { CommandNotStartedError, type RunningContainer, startContainer } from '../images/runtime.ts';
import { NODE_ONLY_COMMANDS, nodeKernelView } from '../kernel-view/kernel-view.ts';
import { CommandStartError, type ProcessStreams } from '../pods/container-runtime.ts';
import type { NodeFolders } from '../pods/node-folders.ts';

export interface NodeCommandsOptions {
  readonly nodeName: string;
  readonly datapath: NodeDatapath;
  /** Of the CNI plugin, which may come later. */
  readonly pluginCommands: () => PluginCommands;
  /** What of the node's file system is shared with pods. */
  readonly folders: Pick<NodeFolders, 'mounts'>;
  /** Of the root namespace. */
  readonly network: PodNetwork;
  readonly hostsFile: () => string;
  readonly resolvConf: () => string;
}

type PluginCommands = Readonly<Record<string, (words: readonly string[]) => string>>;

/** Has the tools that a node's administrator would use. */
const TOOLS_IMAGE = 'nicolaka/netshoot';

export class NodeCommands {
  private readonly options: NodeCommandsOptions;
  private container: RunningContainer | undefined;
  /** Of the plugin, as the container has them. */
  private commands = '';

  constructor(options: NodeCommandsOptions) {
    this.options = options;
  }

  /** Resolves with the exit code; rejects with CommandStartError when there is no such command. */
  async run(command: readonly string[], streams: ProcessStreams, signal: AbortSignal): Promise<number> {
    const commands = Object.keys(this.options.pluginCommands()).join(' ');
    // A plugin that came meanwhile brought commands of its own.
    if (commands !== this.commands) this.stop();
    this.commands = commands;
    this.container ??= this.start();
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

  private start(): RunningContainer {
    const { nodeName, datapath, network, folders, hostsFile, resolvConf } = this.options;
    const pluginCommands = this.options.pluginCommands();
    return startContainer({
      image: nodeImage(Object.keys(pluginCommands)),
      command: ['sleep', 'infinity'],
      environment: {},
      podName: nodeName,
      namespace: '',
      hostname: nodeName,
      containerName: 'node',
      nodeName,
      network,
      kernel: nodeKernelView(datapath, pluginCommands),
      etcHosts: hostsFile(),
      resolvConf: resolvConf(),
      mounts: folders.mounts(),
      onOutput: () => undefined,
    });
  }
}

function nodeImage(pluginCommands: readonly string[]): Image {
  const tools = findImage(TOOLS_IMAGE);
  if (tools === undefined) throw new Error(`the image ${TOOLS_IMAGE} is missing, which holds the node's commands`);
  const own = Object.fromEntries([...NODE_ONLY_COMMANDS, ...pluginCommands].map((name) => [name, kernelProgram]));
  return { ...tools, repositories: [], programs: { ...tools.programs, ...own } };
}

const kernelProgram: Program = async ({ argv, container, stdout, stderr }) => {
  const output = container.kernel?.run(argv);
  if (output === undefined) return 1;
  if (output.stdout !== '') await write(stdout, output.stdout);
  if (output.stderr !== '') await write(stderr, output.stderr);
  return output.code;
};
