import { createReadStream, existsSync, readdirSync, readFileSync, statSync, watch } from 'node:fs';
import { basename } from 'node:path';
import { Argument, type Command } from 'commander';
import type { ClusterFolder } from '../cluster-folder.ts';
import { UserError } from '../user-error.ts';
import { type ClusterOptions, clusterCommand, folderOf, wholeNumber } from './cluster-option.ts';

interface LogsOptions extends ClusterOptions {
  readonly follow?: boolean;
  readonly previous?: boolean;
  readonly tail?: number;
}

export function logsCommand(): Command {
  return clusterCommand({
    name: 'logs',
    summary: 'Print what a process of the cluster logged (of pods: kubectl logs).',
    examples: [
      ['podwire logs apiserver', 'since its first start in this run'],
      ['podwire logs worker-1 -f --tail 20', "a node-agent's, as it goes"],
      ['podwire logs scheduler --previous', 'of the run before'],
    ],
  })
    .addArgument(new Argument('<process>', 'apiserver, scheduler, controller-manager, nats-server, or a node'))
    .option('-f, --follow', 'go on printing')
    .option('-p, --previous', 'of the run before')
    .option('--tail <lines>', 'only the last lines', wholeNumber(0, 1_000_000))
    .action(async (processName: string, options: LogsOptions) => {
      const folder = folderOf(options);
      const path = logPath(folder, processName, options.previous === true);
      const printedBytes = printLog(path, options.tail);
      if (options.follow === true) await follow(path, printedBytes);
    });
}

function logPath(folder: ClusterFolder, processName: string, previous: boolean): string {
  if (!existsSync(folder.logsFolder)) throw new UserError(`cluster '${folder.name}' has never run: podwire up`);
  const known = readdirSync(folder.logsFolder).filter((name) => name.endsWith('.log'));
  const names = known.map((name) => basename(name, '.log'));
  if (!names.includes(processName)) {
    throw new UserError(`there is no log of '${processName}': logs are there of ${names.join(', ')}`);
  }
  const path = folder.logFile(processName) + (previous ? '.1' : '');
  if (!existsSync(path)) throw new UserError(`there is no earlier log of '${processName}'`);
  return path;
}

/** Returns how far the file was read. */
function printLog(path: string, tailLines: number | undefined): number {
  const content = readFileSync(path);
  const lines = content.toString('utf8').split(/(?<=\n)/);
  process.stdout.write((tailLines === undefined ? lines : lines.slice(Math.max(0, lines.length - tailLines))).join(''));
  return content.length;
}

/** Until the command is interrupted, or its output is closed. */
function follow(path: string, fromBytes: number): Promise<never> {
  let position = fromBytes;
  let reading = false;
  const readOn = (): void => {
    const { size } = statSync(path);
    if (reading || size <= position) return;
    reading = true;
    const stream = createReadStream(path, { start: position, end: size - 1 });
    stream.on('end', () => {
      position = size;
      reading = false;
      readOn();
    });
    stream.pipe(process.stdout, { end: false });
  };
  watch(path, readOn);
  readOn();
  return new Promise<never>(() => undefined);
}
