import type { Command } from 'commander';
import { withClusterSession } from '../../cluster-session.ts';
import { faultTable } from '../../link/fault-text.ts';
import { askNodes } from '../../link/node-faults.ts';
import { print, printJson } from '../../output.ts';
import { type FormattedOptions, formattedCommand } from '../cluster-option.ts';

export function linkShowCommand(): Command {
  return formattedCommand({
    name: 'show',
    summary: 'Show the faults of links on all nodes that run, and what became of the packets there.',
    examples: [
      ['podwire link show', 'a table; each row is one direction'],
      ['podwire link show -o json', 'with all counters'],
    ],
  }).action(async (options: FormattedOptions) => {
    const faults = await withClusterSession(options, ({ bus, running }) =>
      askNodes(bus, new Map(running.map((node) => [node, { action: 'show' }]))),
    );
    if (options.output === 'json') printJson(faults);
    else print(faults.length === 0 ? 'no link has a fault' : faultTable(faults));
  });
}
