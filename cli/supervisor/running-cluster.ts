/**
 * A cluster from its start to its end, in the process of `podwire up`:
 *
 *   control socket -> plan -> processes, all at once -> ready -> ... -> stop
 */
import type { Bus } from '../../shared/bus/connection.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import type { ClusterFolder } from '../cluster-folder.ts';
import { readSettings } from '../cluster-settings.ts';
import { checkServer } from '../nats-server/server-check.ts';
import { tryTcpPort } from '../ports.ts';
import { UserError } from '../user-error.ts';
import { expectNotRunning } from './control-client.ts';
import type { ControlRequest, SupervisorStatus } from './control-protocol.ts';
import { ControlServer } from './control-server.ts';
import { lastWords } from './last-words.ts';
import { removeLeftoverNamespaces } from './leftover-namespaces.ts';
import { type ClusterPlan, planProcesses } from './process-plan.ts';
import type { ProcessStatus } from './process-slot.ts';
import { planStart, type StartRequest } from './start-plan.ts';
import type { StartReporter } from './start-report.ts';
import { Supervisor } from './supervisor.ts';

/** After so long the user is told what is waited for, again and again. */
const PATIENCE_MS = 20_000;

const STARTS_BEFORE_GIVING_UP = 4;
const LEFTOVERS_LIMIT_MS = 5000;

export class RunningCluster {
  /** Resolves once somebody asked for the end (`podwire down`) and everything is gone. */
  readonly stopped: Promise<void>;
  private readonly folder: ClusterFolder;
  private readonly reporter: StartReporter;
  private readonly control: ControlServer;
  private readonly startedAtMs = systemClock.nowMs();
  /** Resolves once every process runs. */
  private readonly allRun = Promise.withResolvers<void>();
  private readonly resolveStopped: () => void;
  /** Rejects when the start is hopeless. */
  private readonly startFailed: Promise<never>;
  private readonly failStart: (error: Error) => void;
  private plan: ClusterPlan | undefined;
  private supervisor: Supervisor | undefined;
  private bus: Bus | undefined;
  private isReady = false;
  private stopping: Promise<void> | undefined;

  private constructor(folder: ClusterFolder, reporter: StartReporter) {
    this.folder = folder;
    this.reporter = reporter;
    this.control = new ControlServer(folder.controlSocket, (request) => this.handle(request));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.stopped = promise;
    this.resolveStopped = resolve;
    const failure = Promise.withResolvers<never>();
    this.startFailed = failure.promise;
    this.failStart = failure.reject;
    // Nobody waits for it any more once the start is over.
    failure.promise.catch(() => this.stopped);
  }

  /** Becomes the cluster's supervisor. A UserError when there is one already. */
  static async claim(folder: ClusterFolder, reporter: StartReporter): Promise<RunningCluster> {
    folder.prepare();
    const cluster = new RunningCluster(folder, reporter);
    while (!(await cluster.control.listen())) {
      await expectNotRunning(folder);
      await waitForLeftovers(folder);
      cluster.control.removeFile();
    }
    return cluster;
  }

  get status(): SupervisorStatus {
    const { plan, folder } = this;
    return {
      cluster: folder.name,
      pid: process.pid,
      startedAtMs: this.startedAtMs,
      ready: this.isReady,
      natsUrl: plan?.natsUrl ?? '',
      natsToken: plan?.natsToken,
      apiPort: plan?.settings.apiPort ?? 0,
      kubeconfig: folder.kubeconfig,
      nodes: (plan?.nodes ?? []).map(({ name, internalIp, bindAddress, vxlanPort }) => ({
        name,
        internalIp,
        endpoint: `${bindAddress}:${vxlanPort}`,
      })),
      processes: this.supervisor?.processes ?? [],
    };
  }

  /** Starts everything and resolves when the cluster is ready. A UserError when a process cannot stay up. */
  async start(request: Omit<StartRequest, 'folder' | 'report'>): Promise<void> {
    const report = (text: string): void => this.reporter.progress(text);
    const plan = await planStart({ ...request, folder: this.folder, report });
    if (this.stopping !== undefined) return;
    this.plan = plan;
    this.supervisor = new Supervisor(planProcesses(plan), systemClock, {
      changed: (status) => this.processChanged(status),
    });
    this.supervisor.start();
    await Promise.race([this.waitUntilReady(plan), this.startFailed]);
  }

  stop(): Promise<void> {
    this.stopping ??= this.stopEverything();
    return this.stopping;
  }

  /** Without last words. */
  async killAll(): Promise<void> {
    await this.supervisor?.killAll();
  }

  private async waitUntilReady(plan: ClusterPlan): Promise<void> {
    const [{ connectBus }, { ClusterReadiness }] = await Promise.all([
      import('../../shared/bus/connection.ts'),
      import('./readiness.ts'),
    ]);
    const { natsUrl: url, natsToken: token, settings } = plan;
    this.bus = await connectBus({ url, token, cluster: this.folder.name, clientName: 'supervisor' });
    checkServer(this.bus, url);
    this.reporter.progress(`nats-server ${this.bus.nats.info?.version ?? ''} at ${url}`);
    const names = plan.nodes.map(({ name }) => name);
    const readiness = new ClusterReadiness(this.bus, {
      nodeNames: names,
      hasCni: settings.cni !== 'none',
      startedAtMs: this.startedAtMs,
      listener: {
        nodeReady: (name) => this.reporter.progress(`node ${name} is Ready`),
        dnsAvailable: () => this.reporter.progress('CoreDNS is available'),
      },
    });
    const impatience = setInterval(() => {
      this.reporter.warning(`still waiting for ${readiness.missing.join(', ')}; see podwire logs`);
    }, PATIENCE_MS);
    try {
      await Promise.race([Promise.all([readiness.ready, this.allRun.promise]), this.stopped]);
      this.isReady = true;
    } finally {
      clearInterval(impatience);
      readiness.stop();
    }
  }

  private processChanged(status: ProcessStatus): void {
    if (this.stopping !== undefined) return;
    const { name, state, restarts } = status;
    if (state === 'running' && !this.isReady && name !== 'nats-server') this.reporter.progress(`${name} is up`);
    if (this.supervisor?.processes.every((process) => process.state === 'running')) this.allRun.resolve();
    if (state === 'running' && restarts > 0 && this.isReady) this.reporter.warning(`${name} is up again`);
    if (state === 'dead') this.nodeEnded(status);
    if (state === 'waiting') this.processEnded(status);
  }

  /** A running cluster goes on without it, as chaos tests want; one that has never been ready has nothing to wait for. */
  private nodeEnded({ name, lastEnd }: ProcessStatus): void {
    if (this.isReady) {
      this.reporter.warning(`node ${name} is down (${lastEnd}): podwire node start ${name}`);
      return;
    }
    const log = this.folder.logFile(name);
    const words = lastWords(log);
    const how = words === undefined ? lastEnd : `${lastEnd}: ${words}`;
    this.failStart(new UserError(`node ${name} cannot be started (${how}): see ${log}`));
  }

  /** Tells of the first end and then ever more seldom; a start is given up when a process cannot stay up. */
  private processEnded({ name, lastEnd, quickEnds }: ProcessStatus): void {
    const words = lastWords(this.folder.logFile(name));
    const how = words === undefined ? lastEnd : `${lastEnd}: ${words}`;
    if (!this.isReady && quickEnds >= STARTS_BEFORE_GIVING_UP) {
      this.failStart(new UserError(`${name} cannot be started (${how}): see ${this.folder.logFile(name)}`));
    } else if (isPowerOfTwo(Math.max(1, quickEnds))) {
      this.reporter.warning(`${name} ended (${how}) and is started again`);
    }
  }

  private async handle(request: ControlRequest): Promise<SupervisorStatus> {
    if (request.command === 'stop') {
      await this.stopProcesses();
      // The reply leaves before the socket goes.
      setImmediate(() => void this.stop());
    } else if (request.command === 'node') {
      if (this.supervisor === undefined) throw new UserError('the cluster is still being started');
      await this.supervisor.actOnNode(request.action, request.node);
    }
    return this.status;
  }

  private async stopProcesses(): Promise<void> {
    await this.bus?.close();
    await this.supervisor?.stop();
    for (const problem of removeLeftoverNamespaces(this.folder.path)) this.reporter.warning(problem);
  }

  private async stopEverything(): Promise<void> {
    await this.stopProcesses();
    this.control.close();
    this.resolveStopped();
  }
}

function isPowerOfTwo(count: number): boolean {
  return (count & (count - 1)) === 0;
}

/** The supervisor was killed: what it started ends by itself, and is given the time to. */
async function waitForLeftovers(folder: ClusterFolder): Promise<void> {
  const natsPort = readSettings(folder.settingsFile)?.natsPort;
  const deadlineMs = systemClock.monotonicMs() + LEFTOVERS_LIMIT_MS;
  while (natsPort !== undefined && (await tryTcpPort(natsPort)) === 'taken') {
    // Somebody else's by now; another port will be chosen.
    if (systemClock.monotonicMs() > deadlineMs) return;
    await systemClock.sleep(20);
  }
}
