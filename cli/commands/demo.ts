import { resolve } from 'node:path';
import type { Command } from 'commander';
import { ClusterFolder } from '../cluster-folder.ts';
import { print } from '../output.ts';
import { askRunningSupervisor } from '../supervisor/control-client.ts';
import { terminalReporter } from '../supervisor/start-report.ts';
import { UserError } from '../user-error.ts';
import { type ClusterOptions, clusterCommand, folderOf } from './cluster-option.ts';

const DEMO_CLUSTER = 'demo';
const NODES = 3;

interface DemoOptions extends ClusterOptions {
  readonly keep?: boolean;
}

export function demoCommand(): Command {
  return clusterCommand({
    name: 'demo',
    summary: 'Start a cluster, send requests through a Service, follow one hop by hop, kill a node, and clean up.',
    examples: [
      ['podwire demo', 'about half a minute; exits 0 only if every step held'],
      ['podwire demo --keep', 'leave the cluster running until Ctrl-C'],
    ],
  })
    .option('--keep', 'leave the cluster running afterwards, until Ctrl-C')
    .action(async (options: DemoOptions, command: Command) => {
      const named = command.getOptionValueSource('name') !== 'default';
      await demo(named ? folderOf(options) : new ClusterFolder(DEMO_CLUSTER), options.keep === true);
    });
}

async function demo(folder: ClusterFolder, keep: boolean): Promise<void> {
  const [{ RunningCluster }, { connectToCluster }, { runDemo }, { DemoFailure }] = await Promise.all([
    import('../supervisor/running-cluster.ts'),
    import('../cluster-connection.ts'),
    import('../demo/demo.ts'),
    import('../demo/cluster-view.ts'),
  ]);
  heading('A cluster of three nodes, each component a process of its own');
  const cluster = await RunningCluster.claim(folder, terminalReporter('text'));
  let interrupted = false;
  const interrupt = (): void => {
    interrupted = true;
    void cluster.stop();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  const startedMs = performance.now();
  try {
    await Promise.race([
      cluster.start({ requested: { nodes: NODES }, logLevel: 'info', fresh: true, allowNetns: false }),
      cluster.stopped,
    ]);
    if (interrupted) throw new UserError('interrupted');
    print(`three Ready nodes and CoreDNS after ${((performance.now() - startedMs) / 1000).toFixed(2)} s`);
    const bus = await connectToCluster(cluster.status);
    const demonstration = runDemo(
      {
        bus,
        nodes: cluster.status.nodes.map(({ name }) => name),
        projectRoot: resolve(import.meta.dirname, '../..'),
        actOnNode: async (action, node) => {
          await askRunningSupervisor(folder, { command: 'node', action, node });
        },
      },
      { heading, line: print },
      () => performance.now(),
    );
    const interruption = cluster.stopped.then(() => Promise.reject(new UserError('interrupted')));
    await Promise.race([demonstration, interruption]);
    await bus.close();
    print('\nEvery step held.');
    if (keep) {
      print(`The cluster runs until Ctrl-C: export KUBECONFIG=${folder.kubeconfig}`);
      await cluster.stopped;
    }
  } catch (error) {
    throw error instanceof DemoFailure ? new UserError(`the demo failed: ${error.message}`) : error;
  } finally {
    await cluster.stop();
  }
}

function heading(text: string): void {
  print(`\n== ${text}\n`);
}
