import { rmSync } from 'node:fs';
import type { Command } from 'commander';
import { connectToCluster } from '../cluster-connection.ts';
import type { ClusterFolder } from '../cluster-folder.ts';
import { print, printJson } from '../output.ts';
import { askRunningSupervisor, askSupervisor } from '../supervisor/control-client.ts';
import type { SupervisorStatus } from '../supervisor/control-protocol.ts';
import { UserError } from '../user-error.ts';
import { type FormattedOptions, folderOf, formattedCommand } from './cluster-option.ts';

interface DownOptions extends FormattedOptions {
  readonly delete?: boolean;
}

const END_LIMIT_MS = 15_000;
const POLL_MS = 10;

export function downCommand(): Command {
  return formattedCommand({
    name: 'down',
    summary: 'Stop a cluster. What it stored stays for the next podwire up.',
    examples: [
      ['podwire down', 'stop'],
      ['podwire down --delete', 'stop, and remove all that it stored'],
    ],
  })
    .option('--delete', 'also remove its state folder')
    .action(async (options: DownOptions) => {
      const folder = folderOf(options);
      const status = await stop(folder, options.delete === true);
      if (options.output === 'json') printJson({ cluster: folder.name, stopped: status !== undefined });
      else print(status === undefined ? `removed ${folder.path}` : `cluster '${folder.name}' is stopped`);
    });
}

/** Undefined when it did not run and only its folder was removed. */
async function stop(folder: ClusterFolder, removes: boolean): Promise<SupervisorStatus | undefined> {
  const before = await askSupervisor(folder, { command: 'status' });
  if (before === undefined && !(removes && folder.exists)) {
    // Says that none is running.
    return askRunningSupervisor(folder, { command: 'status' });
  }
  if (before !== undefined) {
    if (removes && isExternal(before)) await removeStore(before);
    await askSupervisor(folder, { command: 'stop' });
    await waitForEnd(folder);
  }
  if (removes) rmSync(folder.path, { recursive: true, force: true });
  return before;
}

function isExternal(status: SupervisorStatus): boolean {
  return !status.processes.some(({ name }) => name === 'nats-server');
}

async function removeStore(status: SupervisorStatus): Promise<void> {
  const { deleteStore } = await import('../../shared/bus/object-store.ts');
  const bus = await connectToCluster(status);
  await deleteStore(bus);
  await bus.close();
}

async function waitForEnd(folder: ClusterFolder): Promise<void> {
  const deadlineMs = performance.now() + END_LIMIT_MS;
  while ((await askSupervisor(folder, { command: 'status' })) !== undefined) {
    if (performance.now() > deadlineMs)
      throw new UserError(`cluster '${folder.name}' did not stop: see podwire status`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
