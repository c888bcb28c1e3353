import { resolve } from 'node:path';
import { Command } from 'commander';
import { writeNatsServerFiles } from '../nats-server/server-config.ts';
import { print } from '../output.ts';

interface BusConfigOptions {
  readonly out: string;
  readonly store: string;
}

const CLIENT_PORT = 4222;
const MONITOR_PORT = 8222;

/** For set-ups that start nats-server themselves: containers. */
export function busConfigCommand(): Command {
  return new Command('bus-config')
    .description('Write the configuration and the token of a nats-server that runs in a container of its own.')
    .requiredOption('--out <folder>', 'where nats.conf and token go; what is there already stays valid')
    .requiredOption('--store <folder>', 'where the server keeps the objects')
    .addHelpText(
      'after',
      '\nExamples:\n  podwire bus-config --out /bus --store /store  then: nats-server -c /bus/nats.conf',
    )
    .action((options: BusConfigOptions) => {
      const { configFile } = writeNatsServerFiles(resolve(options.out), {
        host: '0.0.0.0',
        port: CLIENT_PORT,
        monitorPort: MONITOR_PORT,
        storeFolder: resolve(options.store),
      });
      print(configFile);
    });
}
