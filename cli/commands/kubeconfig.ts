import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { print, printJson } from '../output.ts';
import { askRunningSupervisor } from '../supervisor/control-client.ts';
import { UserError } from '../user-error.ts';
import { type FormattedOptions, folderOf, formattedCommand } from './cluster-option.ts';

export function kubeconfigCommand(): Command {
  return formattedCommand({
    name: 'kubeconfig',
    summary: "Print the path of a running cluster's kubeconfig file.",
    examples: [
      ['export KUBECONFIG=$(podwire kubeconfig)', 'kubectl in this shell talks to the cluster'],
      ['kubectl --kubeconfig $(podwire kubeconfig --name lab-2) get nodes', 'once, for another cluster'],
    ],
  }).action(async (options: FormattedOptions) => {
    const { cluster, kubeconfig } = await askRunningSupervisor(folderOf(options), { command: 'status' });
    if (!existsSync(kubeconfig)) {
      throw new UserError(`cluster '${cluster}' has no kubeconfig yet: its apiserver is still starting`);
    }
    if (options.output === 'json') printJson({ cluster, kubeconfig });
    else print(kubeconfig);
  });
}
