import { type Command, Option } from 'commander';
import type { NodeIo } from '../../../shared/bus/node-io.ts';
import { connectToCluster } from '../../cluster-connection.ts';
import { askNodeIo, tierText } from '../../node-io.ts';
import { print, printJson, tableText } from '../../output.ts';
import { askRunningSupervisor } from '../../supervisor/control-client.ts';
import { UserError } from '../../user-error.ts';
import { type FormattedOptions, folderOf, formattedCommand } from '../cluster-option.ts';

interface IoOptions extends FormattedOptions {
  readonly batches?: 'on' | 'off';
}

export function nodeIoCommand(): Command {
  return formattedCommand({
    name: 'io',
    summary: 'Show what carries the datagrams of nodes and what was lost, and switch batches on or off.',
    examples: [
      ['podwire node io', 'all nodes'],
      ['podwire node io --batches off', 'before you capture loopback: one datagram for each inner frame'],
      ['podwire node io worker-1 --batches on', 'as it was'],
    ],
  })
    .argument('[node]', 'worker-1, worker-2, ...')
    .addOption(new Option('--batches <switch>', 'until the node ends').choices(['on', 'off']))
    .action(async (node: string | undefined, options: IoOptions) => {
      const status = await askRunningSupervisor(folderOf(options), { command: 'status' });
      const names = status.nodes.map(({ name }) => name).filter((name) => node === undefined || name === node);
      if (names.length === 0) throw new UserError(`there is no node ${node}; see podwire node list`);
      const bus = await connectToCluster(status);
      const answers = await askNodeIo(
        bus,
        names,
        options.batches === undefined ? {} : { batches: options.batches === 'on' },
      );
      await bus.close();
      if (options.output === 'json') printJson(names.map((name, index) => ({ name, ...answers[index] })));
      else
        print(
          tableText(
            HEADER,
            names.map((name, index) => row(name, answers[index])),
          ),
        );
    });
}

const HEADER = ['NODE', 'TIER', 'BATCHES', 'SENT', 'RECEIVED', 'SEND-ERRORS', 'OVERFLOWS', 'NO-MEMORY', 'KERNEL-DROPS'];

function row(name: string, io: NodeIo | undefined): string[] {
  if (io === undefined) return [name, 'no answer', ...HEADER.slice(2).map(() => '-')];
  const { datagramsSent, datagramsReceived, sendErrors, sendOverflows, kernelDrops } = io.counters;
  const withoutMemory = (io.counters.receiveDrops ?? 0) + (io.counters.lostSegments ?? 0);
  const counts = [datagramsSent, datagramsReceived, sendErrors, sendOverflows, withoutMemory, kernelDrops];
  return [name, tierText(io), io.batches ? 'on' : 'off', ...counts.map((count) => String(count ?? 0))];
}
