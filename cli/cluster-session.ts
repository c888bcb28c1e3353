/** What commands begin with that ask nodes: the nodes of the running cluster and a connection to them. */
import type { Bus } from '../shared/bus/connection.ts';
import { connectToCluster } from './cluster-connection.ts';
import { type ClusterOptions, folderOf } from './commands/cluster-option.ts';
import { askRunningSupervisor } from './supervisor/control-client.ts';

export interface ClusterSession {
  readonly bus: Bus;
  /** All nodes, those that are down too. */
  readonly nodes: readonly string[];
  readonly running: readonly string[];
}

export async function withClusterSession<Result>(
  options: ClusterOptions,
  work: (session: ClusterSession) => Promise<Result>,
): Promise<Result> {
  const status = await askRunningSupervisor(folderOf(options), { command: 'status' });
  const nodes = status.nodes.map(({ name }) => name);
  const running = nodes.filter((node) => status.processes.some(({ name, pid }) => name === node && pid !== undefined));
  const bus = await connectToCluster(status);
  try {
    return await work({ bus, nodes, running });
  } finally {
    await bus.close();
  }
}
