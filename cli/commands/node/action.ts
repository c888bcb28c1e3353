import type { Command } from 'commander';
import { print, printJson } from '../../output.ts';
import { askRunningSupervisor } from '../../supervisor/control-client.ts';
import type { NodeAction } from '../../supervisor/control-protocol.ts';
import { type CommandText, type FormattedOptions, folderOf, formattedCommand } from '../cluster-option.ts';

const TEXTS: Readonly<Record<NodeAction, CommandText & { readonly done: string }>> = {
  kill: {
    name: 'kill',
    summary: 'Kill a node with all that runs on it (SIGKILL), as a machine that loses its power.',
    examples: [['podwire node kill worker-1', 'and watch: kubectl get nodes,pods -A -o wide -w']],
    done: 'is killed',
  },
  stop: {
    name: 'stop',
    summary: 'Shut a node down in order (SIGTERM).',
    examples: [['podwire node stop worker-1', 'as a machine that is shut down']],
    done: 'is stopped',
  },
  start: {
    name: 'start',
    summary: 'Start a node that was killed or stopped.',
    examples: [['podwire node start worker-1', 'as a machine that is switched on again']],
    done: 'is started',
  },
};

export function nodeActionCommand(action: NodeAction): Command {
  const { done, ...text } = TEXTS[action];
  return formattedCommand(text)
    .argument('<node>', 'worker-1, worker-2, ...')
    .action(async (node: string, options: FormattedOptions) => {
      const status = await askRunningSupervisor(folderOf(options), { command: 'node', action, node });
      const process = status.processes.find(({ name }) => name === node);
      if (options.output === 'json') printJson({ node, ...process });
      else print(`node ${node} ${done}${process?.pid === undefined ? '' : ` (pid ${process.pid})`}`);
    });
}
