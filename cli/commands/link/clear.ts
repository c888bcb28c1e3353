import type { Command } from 'commander';
import type { LinkFaultRequest } from '../../../shared/rules/link-fault.ts';
import { type ClusterSession, withClusterSession } from '../../cluster-session.ts';
import { type SelectionOptions, selectLinks } from '../../link/link-selection.ts';
import { askNodes } from '../../link/node-faults.ts';
import { addSelectionOptions } from '../../link/selection-options.ts';
import { print, printJson } from '../../output.ts';
import { UserError } from '../../user-error.ts';
import { type FormattedOptions, formattedCommand } from '../cluster-option.ts';

interface ClearOptions extends FormattedOptions, SelectionOptions {
  readonly all?: boolean;
}

export function linkClearCommand(): Command {
  const command = formattedCommand({
    name: 'clear',
    summary: 'Make links well again. Packets that wait are let go at once.',
    examples: [
      ['podwire link clear worker-1 worker-2', 'both directions'],
      ['podwire link clear --pod shop/web-0', "a pod's cable"],
      ['podwire link clear --all', 'everything'],
    ],
  });
  return addSelectionOptions(command)
    .option('--all', 'all faults of all nodes')
    .action(async (ends: string[], options: ClearOptions) => {
      const cleared = await withClusterSession(options, (session) => clear(session, ends, options));
      if (options.output === 'json') printJson(cleared);
      else if (cleared.length === 0) print('there was no fault');
      else for (const { from, to } of cleared) print(`${from} -> ${to} is well again`);
    });
}

async function clear({ bus, nodes, running }: ClusterSession, ends: readonly string[], options: ClearOptions) {
  const requests = new Map<string, LinkFaultRequest>();
  if (options.all === true) {
    if (ends.length > 0 || options.pod !== undefined || options.node !== undefined) {
      throw new UserError('--all clears every link: name none beside it');
    }
    for (const node of running) requests.set(node, { action: 'clear', targets: 'all' });
  } else {
    // A node that is down has no faults to clear.
    for (const [node, targets] of await selectLinks(bus, nodes, ends, options)) {
      if (running.includes(node)) requests.set(node, { action: 'clear', targets });
    }
  }
  return askNodes(bus, requests);
}
