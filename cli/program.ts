import { Command, CommanderError } from 'commander';
import { VERSION } from '../shared/runtime/version.ts';
import { busConfigCommand } from './commands/bus-config.ts';
import { captureCommand } from './commands/capture.ts';
import { demoCommand } from './commands/demo.ts';
import { downCommand } from './commands/down.ts';
import { explainCommand } from './commands/explain.ts';
import { kubeconfigCommand } from './commands/kubeconfig.ts';
import { linkCommand } from './commands/link/link.ts';
import { logsCommand } from './commands/logs.ts';
import { nodeCommand } from './commands/node/node.ts';
import { observeCommand } from './commands/observe.ts';
import { statusCommand } from './commands/status.ts';
import { traceCommand } from './commands/trace.ts';
import { upCommand } from './commands/up.ts';
import { endWhenNobodyReads } from './output.ts';
import { UserError } from './user-error.ts';

const program = new Command('podwire')
  .version(VERSION)
  .description("Emulates a Kubernetes cluster's network with real processes and real packets, for real clients.")
  .enablePositionalOptions()
  .showHelpAfterError('(podwire --help lists the commands)')
  .addHelpText(
    'after',
    '\nExamples:\n  podwire up --detach\n  export KUBECONFIG=$(podwire kubeconfig)\n  kubectl get pods -A -o wide\n  podwire down',
  );
for (const command of [
  upCommand(),
  downCommand(),
  statusCommand(),
  kubeconfigCommand(),
  nodeCommand(),
  linkCommand(),
  logsCommand(),
  traceCommand(),
  captureCommand(),
  explainCommand(),
  observeCommand(),
  demoCommand(),
  busConfigCommand(),
]) {
  program.addCommand(command);
}

endWhenNobodyReads();
try {
  await program.parseAsync();
  process.exit(process.exitCode);
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode);
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`podwire: ${error.message}\n`);
  process.exit(1);
}
