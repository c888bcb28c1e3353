import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { MAX_API_SERVERS } from '../../shared/runtime/config.ts';
import { print, printJson } from '../output.ts';
import { askRunningSupervisor } from '../supervisor/control-client.ts';
import type { SupervisorStatus } from '../supervisor/control-protocol.ts';
import { UserError } from '../user-error.ts';
import { type FormattedOptions, folderOf, formattedCommand, wholeNumber } from './cluster-option.ts';

interface KubeconfigOptions extends FormattedOptions {
  readonly server: number;
}

export function kubeconfigCommand(): Command {
  return formattedCommand({
    name: 'kubeconfig',
    summary: "Print the path of a running cluster's kubeconfig file.",
    examples: [
      ['export KUBECONFIG=$(podwire kubeconfig)', 'kubectl in this shell talks to the cluster'],
      ['podwire kubeconfig --server 2', 'of a cluster started with --apiservers 2: its second API server'],
      ['kubectl --kubeconfig $(podwire kubeconfig --name lab-2) get nodes', 'once, for another cluster'],
    ],
  })
    .option('--server <number>', 'which API server it names', wholeNumber(1, MAX_API_SERVERS), 1)
    .action(async (options: KubeconfigOptions) => {
      const status = await askRunningSupervisor(folderOf(options), { command: 'status' });
      const { cluster } = status;
      const kubeconfig = kubeconfigOf(status, options.server);
      if (!existsSync(kubeconfig)) {
        throw new UserError(`cluster '${cluster}' has no kubeconfig yet: its apiserver is still starting`);
      }
      if (options.output === 'json') printJson({ cluster, kubeconfig });
      else print(kubeconfig);
    });
}

function kubeconfigOf({ cluster, kubeconfig, processes }: SupervisorStatus, server: number): string {
  if (server === 1) return kubeconfig;
  const servers = processes.filter(({ name }) => name.startsWith('apiserver')).length;
  if (server > servers) {
    throw new UserError(`cluster '${cluster}' has ${servers} API server(s): start it with --apiservers ${server}`);
  }
  return `${kubeconfig}-${server}`;
}
