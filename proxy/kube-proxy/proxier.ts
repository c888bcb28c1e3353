/**
 * The loop: changes are gathered, compiled, and sent to the node as one transaction, at most every so often. The node counts
 * its transactions; when it stands elsewhere than this process believes (it rebooted, a reply was lost), all is sent anew.
 */
import type { Bus } from '../../shared/bus/connection.ts';
import { NODE_RULES } from '../../shared/bus/subjects.ts';
import { WorkQueue } from '../../shared/bus/work-queue.ts';
import type { RulesReply, RulesTransaction } from '../../shared/rules/transaction.ts';
import type { Clock, Timer } from '../../shared/runtime/clock.ts';
import type { Logger } from '../../shared/runtime/log.ts';
import type { IptablesCompiler } from './compile/iptables/compiler.ts';
import { changedTables, fullTables, type Program } from './compile/iptables/program.ts';
import type { ProxyMetrics } from './proxy-metrics.ts';
import type { Changes } from './service-changes.ts';

export interface ProxierOptions {
  readonly bus: Pick<Bus, 'request'>;
  readonly nodeName: string;
  readonly compiler: IptablesCompiler;
  readonly takeChanges: () => Changes;
  readonly minSyncPeriodMs: number;
  readonly syncPeriodMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: ProxyMetrics;
}

const OWNER = 'kube-proxy';
const SYNC = 'sync';
/** A burst of changes (a Service and its slices) becomes one sync. */
const GATHER_MS = 5;
const REQUEST_TIMEOUT_MS = 5000;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2000;

/** The node refused the rules: a bug here or there, which trying again does not mend. */
export class RulesRefusedError extends Error {
  override readonly name = 'RulesRefusedError';
}

interface NodeStanding {
  readonly bootId: string;
  readonly generation: number;
  readonly program: Program;
}

export class Proxier {
  private readonly options: ProxierOptions;
  private readonly queue: WorkQueue<string>;
  private timer: Timer | undefined;
  /** What the node is known to hold; undefined makes the next sync a full one. */
  private node: NodeStanding | undefined;
  private triggeredAtMs: number[] = [];
  private queuedSinceMs: number | undefined;
  private stopped = false;

  constructor(options: ProxierOptions) {
    this.options = options;
    const { clock, log, minSyncPeriodMs } = options;
    this.queue = new WorkQueue<string>({
      clock,
      log,
      gatherMs: GATHER_MS,
      minIntervalMs: minSyncPeriodMs,
      firstRetryMs: FIRST_RETRY_MS,
      lastRetryMs: LAST_RETRY_MS,
      process: () => this.sync(),
    });
  }

  /** The first sync, and from then on one at least every `syncPeriodMs`. */
  start(): void {
    this.requestSync();
    this.armPeriodic();
  }

  /** There are changes. */
  requestSync(): void {
    this.queuedSinceMs ??= this.options.clock.monotonicMs();
    this.queue.add(SYNC);
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    this.queue.stop();
  }

  /** Undefined while syncs keep up with changes; for /healthz. */
  lag(): string | undefined {
    const { clock, syncPeriodMs } = this.options;
    const waitedMs = this.queuedSinceMs === undefined ? 0 : clock.monotonicMs() - this.queuedSinceMs;
    const allowedMs = 2 * syncPeriodMs;
    return waitedMs <= allowedMs ? undefined : `changes have waited ${Math.round(waitedMs / 1000)} s for a sync`;
  }

  private armPeriodic(): void {
    const { clock, syncPeriodMs } = this.options;
    this.timer = clock.setTimer(syncPeriodMs, () => {
      if (this.stopped) return;
      this.queue.add(SYNC);
      this.armPeriodic();
    });
  }

  private async sync(): Promise<void> {
    const { clock, compiler, metrics, takeChanges } = this.options;
    const startMs = clock.monotonicMs();
    const { states, triggeredAtMs } = takeChanges();
    this.triggeredAtMs.push(...triggeredAtMs);
    for (const state of states) compiler.update(state);
    const program = compiler.assemble();
    const full = await this.program(program);
    this.queuedSinceMs = undefined;
    const nowMs = clock.nowMs();
    metrics.synced({
      full,
      seconds: (clock.monotonicMs() - startMs) / 1000,
      atMs: nowMs,
      rules: compiler.ruleCounts(),
    });
    for (const triggeredMs of this.triggeredAtMs.splice(0)) metrics.programmed((nowMs - triggeredMs) / 1000);
  }

  /** True when everything was sent. */
  private async program(program: Program): Promise<boolean> {
    const { node } = this;
    if (node !== undefined) {
      const { bootId, generation } = node;
      // Without a difference the transaction is empty: it asks the node whether it still stands there.
      const tables = changedTables(node.program, program) ?? {};
      const reply = await this.send({ owner: OWNER, bootId, base: generation, tables }, program);
      if (reply.kind === 'applied') return false;
    }
    const reply = await this.send({ owner: OWNER, bootId: '', base: null, tables: fullTables(program) }, program);
    if (reply.kind === 'resync') throw new Error(`the node asked twice for all rules: ${reply.reason}`);
    return true;
  }

  private async send(transaction: RulesTransaction, program: Program): Promise<RulesReply> {
    const { bus, nodeName, log } = this.options;
    // Until the answer is there it is not known what the node holds.
    this.node = undefined;
    const reply = await bus.request(NODE_RULES, { node: nodeName }, transaction, { timeoutMs: REQUEST_TIMEOUT_MS });
    switch (reply.kind) {
      case 'applied':
        this.node = { bootId: reply.bootId, generation: reply.generation, program };
        return reply;
      case 'resync':
        log.info({ reason: reply.reason }, 'the node needs all rules anew');
        return reply;
      case 'invalid': {
        const problems = reply.problems.map(({ where, message }) => `${where}: ${message}`);
        throw new RulesRefusedError(`the node refused the rules: ${problems.join('; ')}`);
      }
    }
  }
}
