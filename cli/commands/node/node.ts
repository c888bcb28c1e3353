import { Command } from 'commander';
import { NODE_ACTIONS } from '../../supervisor/control-protocol.ts';
import { nodeActionCommand } from './action.ts';
import { nodeExecCommand } from './exec.ts';
import { nodeIoCommand } from './io.ts';
import { nodeListCommand } from './list.ts';

export function nodeCommand(): Command {
  const command = new Command('node').description('List, kill, stop and start nodes, and run commands on them.');
  command.enablePositionalOptions();
  command.addCommand(nodeListCommand());
  for (const action of NODE_ACTIONS) command.addCommand(nodeActionCommand(action));
  command.addCommand(nodeIoCommand());
  return command.addCommand(nodeExecCommand());
}
