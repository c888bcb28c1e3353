import type { Command } from 'commander';
import type { Bus } from '../../shared/bus/connection.ts';
import type { NodeProcess } from '../../shared/bus/subjects.ts';
import { connectToCluster } from '../cluster-connection.ts';
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

const NODE_ANSWER_LIMIT_MS = 1000;

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
    const rows = await withMemory([...ownRows(status), ...(await podRows(status))]);
    if (options.output === 'json') printStatusJson(status, rows);
    else printStatusText(status, rows);
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

/** Asked of the nodes; one that is down or hangs costs a second and its rows, not the command. */
async function podRows(status: SupervisorStatus): Promise<ProcessRow[]> {
  const living = status.nodes.filter(({ name }) =>
    status.processes.some((p) => p.name === name && p.pid !== undefined),
  );
  if (living.length === 0) return [];
  let bus: Bus;
  try {
    bus = await connectToCluster(status);
  } catch (error) {
    process.stderr.write(`podwire: ${messageOf(error)}; processes in pods are not shown\n`);
    return [];
  }
  const { NODE_PROCESSES } = await import('../../shared/bus/subjects.ts');
  const answers = await Promise.allSettled(
    living.map(({ name }) => bus.request(NODE_PROCESSES, { node: name }, {}, { timeoutMs: NODE_ANSWER_LIMIT_MS })),
  );
  await bus.close();
  return answers.flatMap((answer, index) => {
    const node = living[index]?.name ?? '';
    if (answer.status === 'fulfilled') return answer.value.processes.map((process) => podRow(node, process));
    process.stderr.write(`podwire: node ${node} does not answer; its processes in pods are not shown\n`);
    return [];
  });
}

function podRow(node: string, { name, namespace, pod, state, pid, startedAtMs, restarts }: NodeProcess): ProcessRow {
  return { name, node, namespace, pod, state, pid, startedAtMs, restarts };
}

async function withMemory(rows: readonly ProcessRow[]): Promise<ProcessRow[]> {
  const memory = await residentMemory(rows.flatMap(({ pid }) => pid ?? []));
  return rows.map((row) => ({ ...row, rssBytes: row.pid === undefined ? undefined : memory.get(row.pid) }));
}

function printStatusJson(status: SupervisorStatus, rows: readonly ProcessRow[]): void {
  const { cluster, ready, natsUrl, apiPort, kubeconfig, nodes } = status;
  printJson({ cluster, ready, natsUrl, apiUrl: `https://127.0.0.1:${apiPort}`, kubeconfig, nodes, processes: rows });
}

function printStatusText(status: SupervisorStatus, rows: readonly ProcessRow[]): void {
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
}
