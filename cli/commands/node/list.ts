import type { Command } from 'commander';
import type { Node } from 'kubernetes-types/core/v1.js';
import { NODES } from '../../../shared/api/resources.ts';
import { connectToCluster } from '../../cluster-connection.ts';
import { ageText, print, printJson, tableText } from '../../output.ts';
import { askRunningSupervisor } from '../../supervisor/control-client.ts';
import type { SupervisorStatus } from '../../supervisor/control-protocol.ts';
import { type FormattedOptions, folderOf, formattedCommand } from '../cluster-option.ts';

export function nodeListCommand(): Command {
  return formattedCommand({
    name: 'list',
    summary: 'Show the nodes: their processes and addresses, and what the API says of them.',
    examples: [['podwire node list', 'a table']],
  }).action(async (options: FormattedOptions) => {
    const status = await askRunningSupervisor(folderOf(options), { command: 'status' });
    const objects = await readNodes(status);
    const nodes = status.nodes.map(({ name, internalIp, endpoint }) => {
      const process = status.processes.find((candidate) => candidate.name === name);
      const object = objects.get(name);
      return {
        name,
        process: process?.state ?? 'stopped',
        pid: process?.pid,
        startedAtMs: process?.startedAtMs,
        lastEnd: process?.lastEnd,
        ready: readyText(object),
        internalIp,
        endpoint,
        podCidr: object?.spec?.podCIDR,
      };
    });
    if (options.output === 'json') {
      printJson(nodes);
      return;
    }
    const rows = nodes.map((node) => [
      node.name,
      node.pid === undefined && node.lastEnd !== undefined ? `${node.process} (${node.lastEnd})` : node.process,
      node.pid === undefined ? '-' : String(node.pid),
      node.startedAtMs === undefined ? '-' : ageText(Date.now() - node.startedAtMs),
      node.ready,
      node.internalIp,
      node.endpoint,
      node.podCidr ?? '-',
    ]);
    print(tableText(['NODE', 'PROCESS', 'PID', 'AGE', 'STATUS', 'INTERNAL-IP', 'UDP-ENDPOINT', 'POD-CIDR'], rows));
  });
}

async function readNodes(status: SupervisorStatus): Promise<Map<string, Node>> {
  const { createInformer } = await import('../../../shared/bus/informer.ts');
  const bus = await connectToCluster(status);
  const informer = createInformer<Node>(bus, NODES);
  await informer.start();
  const nodes = new Map(informer.list().map((node) => [node.metadata?.name ?? '', node]));
  informer.stop();
  await bus.close();
  return nodes;
}

/** As kubectl's STATUS column. */
function readyText(node: Node | undefined): string {
  if (node === undefined) return 'Unregistered';
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  const text = ready === 'True' ? 'Ready' : 'NotReady';
  return node.spec?.unschedulable === true ? `${text},SchedulingDisabled` : text;
}
