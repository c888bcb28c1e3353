/**
 * Clusters of real processes that a test hurts: started by the CLI in a PODWIRE_HOME of their own, watched through the
 * supervisor's socket and the bus, always taken down, and looked after until nothing of them is left.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { DaemonSet, Deployment } from 'kubernetes-types/apps/v1.js';
import type { Node, Pod } from 'kubernetes-types/core/v1.js';
import { ClusterFolder } from '../../cli/cluster-folder.ts';
import { askSupervisor } from '../../cli/supervisor/control-client.ts';
import type { SupervisorStatus } from '../../cli/supervisor/control-protocol.ts';
import { isPodReady, isTerminating } from '../../shared/api/pod-condition.ts';
import { DAEMONSETS, DEPLOYMENTS, NODES, PODS } from '../../shared/api/resources.ts';
import { type ApiClient, createApiClient } from '../../shared/bus/api-client.ts';
import { type Bus, connectBus } from '../../shared/bus/connection.ts';
import { NODE_PROCESSES } from '../../shared/bus/subjects.ts';
import { type CommandResult, run } from '../e2e/run-command.ts';
import { waitFor } from '../wait-for.ts';

/** The program of the command. */
export const PODWIRE = resolve(import.meta.dirname, '../../cli/main.ts');
const COMMAND_LIMIT_MS = 150_000;
const HEAL_LIMIT_MS = 90_000;
const NODE_ANSWER_LIMIT_MS = 5000;

/** A process of the control plane or a node-agent (`worker-1`), or of a pod on a node. */
export interface ProcessRow {
  readonly name: string;
  readonly node?: string;
  readonly state: string;
  readonly pid: number | undefined;
  readonly restarts: number;
}

/** A PODWIRE_HOME for clusters. */
export class ClusterHome {
  readonly path = mkdtempSync(join(tmpdir(), 'pw-'));
  private readonly clusters: ChaosCluster[] = [];

  constructor() {
    // For `ClusterFolder` in this process, as the commands that it starts get it too.
    process.env.PODWIRE_HOME = this.path;
  }

  podwire(args: readonly string[], environment: Record<string, string> = {}): Promise<CommandResult> {
    const env = { PODWIRE_HOME: this.path, ...environment };
    return run(process.execPath, [PODWIRE, ...args], { env, timeoutMs: COMMAND_LIMIT_MS });
  }

  async up(name: string, ...args: string[]): Promise<ChaosCluster> {
    const { code, stdout, stderr } = await this.podwire(['up', '--detach', '--name', name, ...args]);
    if (code !== 0) throw new Error(`podwire up failed:\n${stdout}${stderr}`);
    const cluster = await ChaosCluster.connect(this, name);
    this.clusters.push(cluster);
    return cluster;
  }

  /** Takes down what still runs, and removes the folder. */
  async remove(): Promise<void> {
    for (const cluster of this.clusters) {
      await cluster.disconnect();
      await this.podwire(['down', '--name', cluster.name, '--delete']);
    }
    rmSync(this.path, { recursive: true, force: true });
  }
}

export class ChaosCluster {
  readonly name: string;
  readonly api: ApiClient;
  private readonly home: ClusterHome;
  private readonly folder: ClusterFolder;
  private readonly bus: Bus;
  /** Of the API and of NATS. */
  readonly ports: readonly number[];
  /** Every process that was ever seen. */
  private readonly seen = new Set<number>();

  private constructor(home: ClusterHome, status: SupervisorStatus, bus: Bus) {
    this.home = home;
    this.name = status.cluster;
    this.folder = new ClusterFolder(status.cluster);
    this.bus = bus;
    this.ports = [status.apiPort, Number(new URL(status.natsUrl).port)];
    this.api = createApiClient(bus, { user: 'chaos-test', retryForMs: HEAL_LIMIT_MS });
  }

  static async connect(home: ClusterHome, name: string): Promise<ChaosCluster> {
    const status = await askSupervisor(new ClusterFolder(name), { command: 'status' });
    if (status === undefined) throw new Error(`cluster ${name} does not run`);
    const { natsUrl: url, natsToken: token } = status;
    return new ChaosCluster(home, status, await connectBus({ url, token, cluster: name, clientName: 'test' }));
  }

  get stateFolder(): string {
    return this.folder.path;
  }

  podwire(...args: string[]): Promise<CommandResult> {
    return this.home.podwire([...args, '--name', this.name]);
  }

  /** The supervisor, the control plane and the node-agents; does not need NATS. */
  async ownProcesses(): Promise<ProcessRow[]> {
    const status = await askSupervisor(this.folder, { command: 'status' });
    if (status === undefined) return [];
    const rows = [{ name: 'supervisor', state: 'running', pid: status.pid, restarts: 0 }, ...status.processes];
    return this.remember(rows);
  }

  /** Those of the pods: each node is asked. */
  async podProcesses(): Promise<ProcessRow[]> {
    const nodes = (await this.ownProcesses()).filter(({ name, pid }) => /^worker-/.test(name) && pid !== undefined);
    const ask = async (node: string): Promise<ProcessRow[]> => {
      const { processes } = await this.bus.request(NODE_PROCESSES, { node }, {}, { timeoutMs: NODE_ANSWER_LIMIT_MS });
      return processes.map(({ name, state, pid, restarts }) => ({ name, node, state, pid, restarts }));
    };
    const answers = await Promise.allSettled(nodes.map(({ name }) => ask(name)));
    return this.remember(answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : [])));
  }

  /** The pid of a process, once it runs; `node` is that of a pod's process. */
  pidOf(name: string, node?: string): Promise<number> {
    return waitFor(`${name} to run`, async () => (await this.find(name, node))?.pid, HEAL_LIMIT_MS);
  }

  /** SIGKILL. */
  async kill(name: string, node?: string): Promise<number> {
    const pid = await this.pidOf(name, node);
    process.kill(pid, 'SIGKILL');
    return pid;
  }

  /** Waits until a process of the name runs that is not the one with this pid. */
  async successorOf(pid: number, name: string, node?: string): Promise<ProcessRow> {
    return waitFor(
      `${name} to be started again`,
      async () => {
        const row = await this.find(name, node);
        return row?.state === 'running' && row.pid !== undefined && row.pid !== pid ? row : undefined;
      },
      HEAL_LIMIT_MS,
    );
  }

  /** A process that is away for as long as `during` takes, as nobody notices that it hangs; then it is killed. */
  async whileAway(name: string, node: string | undefined, during: () => Promise<void>): Promise<number> {
    const pid = await this.pidOf(name, node);
    process.kill(pid, 'SIGSTOP');
    try {
      await during();
    } finally {
      process.kill(pid, 'SIGKILL');
    }
    return pid;
  }

  /** Every process runs, every node and every pod is ready, every Deployment and DaemonSet has what it wants. */
  async healed(): Promise<void> {
    let troubles: string[] = [];
    const isWhole = async (): Promise<boolean> => {
      troubles = await this.troubles();
      return troubles.length === 0;
    };
    try {
      await waitFor('the cluster to heal', isWhole, HEAL_LIMIT_MS);
    } catch (error) {
      throw new Error(`the cluster did not heal: ${troubles.join('; ')}\n${this.logTails()}`, { cause: error });
    }
  }

  async down(): Promise<void> {
    await this.disconnect();
    const { code, stderr } = await this.podwire('down');
    if (code !== 0) throw new Error(stderr);
  }

  async disconnect(): Promise<void> {
    await this.bus.close();
  }

  /** Waits until none of the processes that were ever seen lives; resolves to the ports that are taken all the same. */
  async leftovers(): Promise<number[]> {
    await waitFor('all processes to be gone', () => ![...this.seen].some(isAlive), HEAL_LIMIT_MS);
    const free = await Promise.all(this.ports.map(isFree));
    return this.ports.filter((_, index) => free[index] === false);
  }

  private async find(name: string, node: string | undefined): Promise<ProcessRow | undefined> {
    const rows = node === undefined ? await this.ownProcesses() : await this.podProcesses();
    return rows.find((row) => row.name === name && row.node === node);
  }

  private remember(rows: ProcessRow[]): ProcessRow[] {
    for (const { pid } of rows) if (pid !== undefined) this.seen.add(pid);
    return rows;
  }

  private async troubles(): Promise<string[]> {
    const troubles: string[] = [];
    for (const { name, state } of await this.ownProcesses())
      if (state !== 'running') troubles.push(`${name}: ${state}`);
    const [nodes, pods, deployments, daemonSets] = await Promise.all([
      this.api.list<Node>(NODES),
      this.api.list<Pod>(PODS),
      this.api.list<Deployment>(DEPLOYMENTS),
      this.api.list<DaemonSet>(DAEMONSETS),
    ]);
    for (const { metadata, status } of nodes.items) {
      const ready = status?.conditions?.find(({ type }) => type === 'Ready')?.status;
      if (ready !== 'True') troubles.push(`node ${metadata?.name}: Ready=${ready}`);
    }
    for (const pod of pods.items) {
      if (isTerminating(pod)) troubles.push(`pod ${pod.metadata?.name}: is being deleted`);
      else if (!isPodReady(pod)) troubles.push(`pod ${pod.metadata?.name}: not ready`);
    }
    for (const { metadata, spec, status } of deployments.items) {
      const { availableReplicas = 0, replicas = 0 } = status ?? {};
      if (availableReplicas !== spec?.replicas || replicas !== spec.replicas)
        troubles.push(`deployment ${metadata?.name}: ${availableReplicas} of ${spec?.replicas} replicas`);
    }
    for (const { metadata, status } of daemonSets.items) {
      const { numberReady, currentNumberScheduled } = status ?? {};
      if (numberReady !== nodes.items.length || currentNumberScheduled !== nodes.items.length)
        troubles.push(`daemonset ${metadata?.name}: ${numberReady} of ${currentNumberScheduled} pods`);
    }
    return troubles;
  }

  private logTails(lines = 8): string {
    const { logsFolder } = this.folder;
    const tail = (file: string): string =>
      readFileSync(join(logsFolder, file), 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
    return readdirSync(logsFolder)
      .map((file) => `--- ${file}\n${tail(file)}`)
      .join('\n');
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolveFree) => {
    const server = createServer();
    server.once('error', () => resolveFree(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolveFree(true)));
  });
}
