import { Command } from 'commander';
import { linkClearCommand } from './clear.ts';
import { linkSetCommand } from './set.ts';
import { linkShowCommand } from './show.ts';

export function linkCommand(): Command {
  const command = new Command('link').description('Make links slow, lossy or cut, and well again.');
  command.enablePositionalOptions();
  return command.addCommand(linkSetCommand()).addCommand(linkShowCommand()).addCommand(linkClearCommand());
}
