/** `ip netns exec NAME COMMAND ...` on a node: a command with the node's files and tools over the network of one of its pods. */

import type { Host } from '../../shared/netstack/host.ts';
import type { PodNetwork } from '../../shared/podnet/pod-network.ts';
import type { NodeDatapath } from '../datapath/path.ts';
import { podNamespaces } from '../datapath/show/namespace.ts';
import type { KernelView, Program } from '../images/image.ts';
import { write } from '../images/program-io.ts';
import { CommandNotStartedError, type RunningContainer } from '../images/runtime.ts';
import { podKernelView } from '../kernel-view/kernel-view.ts';
import { packetSockets } from '../kernel-view/packet-socket.ts';
import type { Turn } from '../kernel-view/turn.ts';

export interface NetnsExecOptions {
  readonly datapath: NodeDatapath;
  readonly networkOf: (host: Host) => PodNetwork;
  readonly turn: Turn;
  /** A container like the node's own, but for its network. */
  readonly startContainer: (network: PodNetwork, kernel: KernelView) => RunningContainer;
}

/** `null` when the words are no `ip netns exec`. */
export function netnsExec(argv: readonly string[], options: NetnsExecOptions): Program | null {
  const [, ...words] = argv;
  const [object = '', verb, name = '', ...command] = words.filter((word, at) => at >= 3 || !/^-[a-z0-9]+$/.test(word));
  if (object.length < 2 || !'netns'.startsWith(object) || verb !== 'exec') return null;
  return async ({ stdin, stdout, stderr, signal }) => {
    const namespace = podNamespaces(options.datapath).find((candidate) => candidate.name === name);
    if (command.length === 0) {
      await write(stderr, 'No command specified\n');
      return 255;
    }
    if (namespace === undefined) {
      await write(stderr, `Cannot open network namespace "${name}": No such file or directory\n`);
      return 255;
    }
    const { datapath, turn } = options;
    const packets = packetSockets(datapath, namespace.host, turn);
    const kernel = podKernelView(namespace.host, { packets, turn, processes: 'all', administrator: true });
    const container = options.startContainer(options.networkOf(namespace.host), kernel);
    try {
      return await container.exec(command, { stdin, stdout, stderr }, signal);
    } catch (error) {
      if (!(error instanceof CommandNotStartedError)) throw error;
      await write(stderr, `exec of "${command[0]}" failed: No such file or directory\n`);
      return 255;
    } finally {
      container.signal('SIGKILL');
    }
  };
}
