import { randomInt } from 'node:crypto';
import type { Command } from 'commander';
import type { LinkFaultRequest } from '../../../shared/rules/link-fault.ts';
import { type ClusterSession, withClusterSession } from '../../cluster-session.ts';
import { faultTable } from '../../link/fault-text.ts';
import { addImpairmentOptions, changeOf } from '../../link/impairment-options.ts';
import { type SelectionOptions, selectLinks } from '../../link/link-selection.ts';
import { askNodes } from '../../link/node-faults.ts';
import { addSelectionOptions } from '../../link/selection-options.ts';
import { parseDuration } from '../../link/units.ts';
import { print, printJson } from '../../output.ts';
import { UserError } from '../../user-error.ts';
import { type FormattedOptions, formattedCommand, wholeNumber } from '../cluster-option.ts';

interface SetOptions extends FormattedOptions, SelectionOptions {
  readonly for?: number;
  readonly seed?: number;
}

const NOTES = `
What is not named stays as it is; naming 0 clears just that. With --for, what is named ends on the node by itself, and what
was there before shows again. Faults live in the nodes: a node that was killed and started again has none.
Between nodes they concern the data plane (UDP), not the control plane: a node that is cut off stays Ready, as its
heartbeats go over NATS. For a machine that is gone: podwire node kill.`;

export function linkSetCommand(): Command {
  const command = formattedCommand({
    name: 'set',
    summary: 'Give links faults, in the terms of tc-netem.',
    examples: [
      ['podwire link set worker-1 worker-2 --delay 20ms --jitter 2ms --loss 1%', 'both directions'],
      ['podwire link set worker-1 all --partition --for 30s', 'cut a node off for a while'],
      ['podwire link set worker-1,worker-2 worker-3 --partition', 'split the cluster in two'],
      ['podwire link set worker-1 worker-2 --delay 50ms --direction to', 'one way only'],
      ['podwire link set worker-1 worker-2 --loss 0', 'the delay stays'],
      ['podwire link set --pod shop/web-0 --rate 10mbit --limit 100', "a pod's cable"],
      ['podwire link set --node worker-1 --device flannel.1 --corrupt 0.1%', 'a device'],
      ['podwire link set worker-1 worker-2 --gemodel 1%,10% --seed 42', 'bursts of losses, repeatable'],
    ],
  });
  return addImpairmentOptions(addSelectionOptions(command))
    .option('--for <duration>', 'end by itself: 30s, 5m', parseDuration)
    .option('--seed <n>', 'start the random decisions anew with this seed', wholeNumber(0, 2 ** 32 - 1))
    .addHelpText('after', NOTES)
    .action(async (ends: string[], options: SetOptions & Record<string, unknown>) => {
      const faults = await withClusterSession(options, (session) => set(session, ends, options));
      if (options.output === 'json') printJson(faults);
      else print(faults.length === 0 ? 'no faults are left there' : faultTable(faults));
    });
}

async function set(session: ClusterSession, ends: readonly string[], options: SetOptions & Record<string, unknown>) {
  const change = changeOf(options);
  if (Object.keys(change).length === 0 && options.seed === undefined) {
    throw new UserError('what is to be wrong with the link? For instance --delay 20ms, --loss 1% or --partition');
  }
  const selection = await selectLinks(session.bus, session.nodes, ends, options);
  const down = [...selection.keys()].find((node) => !session.running.includes(node));
  if (down !== undefined) throw new UserError(`node ${down} is down and has no links: podwire node start ${down}`);
  const common = {
    action: 'set' as const,
    change,
    freshSeed: randomInt(2 ** 32),
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(options.for === undefined ? {} : { durationMs: options.for }),
  };
  const requests = [...selection].map(([node, targets]): [string, LinkFaultRequest] => [node, { ...common, targets }]);
  return askNodes(session.bus, new Map(requests));
}
