import type { Command } from 'commander';
import type { Bus } from '../../shared/bus/connection.ts';
import type { NodeIo } from '../../shared/bus/node-io.ts';
import type { NodeEntrance, NodeProcess } from '../../shared/bus/subjects.ts';
import { connectToCluster } from '../cluster-connection.ts';
import { askNodeIo, tierText } from '../node-io.ts';
import { ageText, memoryText, print, printJson, tableText } from '../output.ts';
import { residentMemory } from '../process-memory.ts';
import { askRunningSupervisor } from '../supervisor/control-client.ts';
import type { SupervisorStatus } from '../supervisor/control-protocol.ts';
import { messageOf } from '../user-error.ts';
import { type FormattedOptions, folderOf, formattedCommand } from './cluster-option.ts';

interface ProcessRow {
  readonly name: string;
  /** Of a process that runs in a pod. */
  readonly node?: string;
  readonly namespace?: string;
  readonly pod?: string;
  readonly state: string;
  readonly pid?: number;
  readonly startedAtMs?: number;
  readonly restarts: number;
  readonly rssBytes?: number;
  readonly lastEnd?: string;
}

const NODE_ANSWER_LIMIT_MS = 3000;

export function statusCommand(): Command {
  return formattedCommand({
    name: 'status',
    summary: 'Show every process of a running cluster: pid, state, age, memory, restarts.',
    examples: [
      ['podwire status', 'a table'],
      ['podwire status -o json', 'for programs; sizes in bytes, times in milliseconds since 1970'],
    ],
  }).action(async (options: FormattedOptions) => {
    const status = await askRunningSupervisor(folderOf(options), { command: 'status' });
    const answers = await askNodes(status);
    const rows = await withMemory([...ownRows(status), ...answers.pods]);
    if (options.output === 'json') printStatusJson(status, rows, answers);
    else printStatusText(status, rows, answers);
  });
}

function ownRows(status: SupervisorStatus): ProcessRow[] {
  const { pid, startedAtMs } = status;
  const nodes = new Set(status.nodes.map(({ name }) => name));
  const rows = status.processes.map((process): ProcessRow => {
    const isNode = nodes.has(process.name);
    return { ...process, name: isNode ? 'node-agent' : process.name, node: isNode ? process.name : undefined };
  });
  return [{ name: 'supervisor', state: 'running', pid, startedAtMs, restarts: 0 }, ...rows];
}

interface NodeAnswers {
  readonly pods: readonly ProcessRow[];
  readonly entrances: readonly NodeEntrance[];
  /** By the node's name. */
  readonly io: Readonly<Record<string, NodeIo>>;
}

/** One that is down or hangs costs a second and its rows, not the command. */
async function askNodes(status: SupervisorStatus): Promise<NodeAnswers> {
  const living = status.nodes.filter(({ name }) =>
    status.processes.some((p) => p.name === name && p.pid !== undefined),
  );
  const nothing: NodeAnswers = { pods: [], entrances: [], io: {} };
  if (living.length === 0) return nothing;
  let bus: Bus;
  try {
    bus = await connectToCluster(status);
  } catch (error) {
    process.stderr.write(`podwire: ${messageOf(error)}; processes in pods are not shown\n`);
    return nothing;
  }
  const { NODE_ENTRANCES, NODE_PROCESSES } = await import('../../shared/bus/subjects.ts');
  const limit = { timeoutMs: NODE_ANSWER_LIMIT_MS };
  const answers = await Promise.all(
    living.map(async ({ name: node }): Promise<NodeAnswers> => {
      try {
        const [{ processes }, { entrances }, [io]] = await Promise.all([
          bus.request(NODE_PROCESSES, { node }, {}, limit),
          bus.request(NODE_ENTRANCES, { node }, {}, limit),
          askNodeIo(bus, [node]),
        ]);
        const pods = processes.map((process) => podRow(node, process));
        return { pods, entrances, io: io === undefined ? {} : { [node]: io } };
      } catch {
        process.stderr.write(`podwire: node ${node} does not answer; what runs in its pods is not shown\n`);
        return nothing;
      }
    }),
  );
  await bus.close();
  return {
    pods: answers.flatMap(({ pods }) => pods),
    entrances: answers.flatMap(({ entrances }) => entrances),
    io: Object.assign({}, ...answers.map(({ io }) => io)),
  };
}

function podRow(node: string, { name, namespace, pod, state, pid, startedAtMs, restarts }: NodeProcess): ProcessRow {
  return { name, node, namespace, pod, state, pid, startedAtMs, restarts };
}

async function withMemory(rows: readonly ProcessRow[]): Promise<ProcessRow[]> {
  const memory = await residentMemory(rows.flatMap(({ pid }) => pid ?? []));
  return rows.map((row) => ({ ...row, rssBytes: row.pid === undefined ? undefined : memory.get(row.pid) }));
}

function printStatusJson(
  status: SupervisorStatus,
  processes: readonly ProcessRow[],
  { entrances, io }: NodeAnswers,
): void {
  const { cluster, ready, natsUrl, apiPort, kubeconfig } = status;
  const nodes = status.nodes.map((node) => ({ ...node, io: io[node.name] }));
  const apiUrl = `https://127.0.0.1:${apiPort}`;
  printJson({ cluster, ready, natsUrl, apiUrl, kubeconfig, nodes, processes, entrances });
}

function printStatusText(status: SupervisorStatus, rows: readonly ProcessRow[], { entrances, io }: NodeAnswers): void {
  const nowMs = Date.now();
  print(
    `cluster '${status.cluster}' is ${status.ready ? 'ready' : 'starting'}: API at https://127.0.0.1:${status.apiPort}\n`,
  );
  const lines = rows.map((row) => [
    row.name,
    row.node ?? '-',
    row.pod ?? '-',
    row.pid === undefined ? '-' : String(row.pid),
    row.pid === undefined && row.lastEnd !== undefined ? `${row.state} (${row.lastEnd})` : row.state,
    row.pid === undefined || row.startedAtMs === undefined ? '-' : ageText(nowMs - row.startedAtMs),
    memoryText(row.rssBytes),
    String(row.restarts),
  ]);
  print(tableText(['PROCESS', 'NODE', 'POD', 'PID', 'STATE', 'AGE', 'MEMORY', 'RESTARTS'], lines));
  const total = rows.reduce((sum, { rssBytes }) => sum + (rssBytes ?? 0), 0);
  print(`\n${rows.filter(({ pid }) => pid !== undefined).length} processes, ${memoryText(total)}`);
  for (const [node, answer] of Object.entries(io))
    print(`${node}: packets by ${tierText(answer)}, ${lossText(answer)}`);
  if (entrances.length > 0) printEntrances(entrances);
}

function lossText({ counters }: NodeIo): string {
  const { sendErrors = 0, sendOverflows = 0, receiveDrops = 0, lostSegments = 0, kernelDrops = 0 } = counters;
  const own = sendErrors + sendOverflows + receiveDrops + lostSegments;
  return own + kernelDrops === 0 ? 'none lost' : `${own} lost at the socket, ${kernelDrops} in the kernel`;
}

/** Where this machine's programs reach Services. */
function printEntrances(entrances: readonly NodeEntrance[]): void {
  const lines = entrances.map(({ service, protocol, address, port, realAddress, realPort, instead }) => [
    service,
    `${address}:${port}/${protocol}`,
    `${realAddress}:${realPort}`,
    instead ?? '-',
  ]);
  print(`\n${tableText(['SERVICE', 'IN THE CLUSTER', 'FROM THIS MACHINE', 'WHY ANOTHER PORT'], lines)}`);
}
