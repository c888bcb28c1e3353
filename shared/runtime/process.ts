/**
 * The frame of every process of a cluster:
 *
 *   environment -> config, log -> /healthz and /metrics -> start(context) -> ready notice -> ... -> SIGTERM -> stop steps
 *
 * A child that was given an IPC channel sends `{ type: 'ready', healthPort }` over it, and exits when the channel closes:
 * so no process outlives the one that started it, even when that one is killed.
 */
import { type Clock, systemClock } from './clock.ts';
import { compileWhenBusy } from './compilers.ts';
import { type ClusterConfig, ConfigError, type Environment, readClusterConfig } from './config.ts';
import { growsWhenBusy } from './entry-point.ts';
import { HealthServer } from './health.ts';
import { klogStream } from './klog.ts';
import { createLogger, type Logger, standardOutput } from './log.ts';
import { Metrics } from './metrics.ts';
import { type Random, systemRandom } from './random.ts';
import { Shutdown } from './shutdown.ts';

export interface ProcessContext {
  readonly name: string;
  readonly environment: Environment;
  readonly config: ClusterConfig;
  readonly log: Logger;
  readonly health: HealthServer;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: Random;
  /** `signal` is aborted when the process stops; `onStop` registers what to undo, in reverse order. */
  readonly shutdown: Shutdown;
  /** Conditions under which the process is worth compiling though it is not busy; see `compilers.ts`. */
  readonly compileWhen: (() => boolean)[];
}

export interface ProcessDefinition {
  /** `apiserver`, `node-agent`: the `component` of its log lines. */
  readonly name: string;
  /** `json` by default; `klog` for what users know by Kubernetes' own form. */
  readonly logForm?: 'json' | 'klog';
  /** Resolves once the process does its work; what it rejects with ends the process with exit code 1. */
  start(context: ProcessContext): Promise<void>;
}

/** Sent to the parent over IPC once `start` has resolved. */
export interface ReadyNotice {
  readonly type: 'ready';
  readonly healthPort: number;
}

export function decodeReadyNotice(message: unknown): ReadyNotice | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  if (!('type' in message) || message.type !== 'ready') return undefined;
  if (!('healthPort' in message) || typeof message.healthPort !== 'number') return undefined;
  return { type: 'ready', healthPort: message.healthPort };
}

/** A stop that takes longer is cut off. */
const STOP_LIMIT_MS = 8000;

/** Runs the process; resolves when it is ready. Called once, by a `main.ts`. */
export async function runProcess(definition: ProcessDefinition): Promise<void> {
  exitWithParent();
  const context = createContext(definition);
  const { log, shutdown } = context;
  process.on('uncaughtException', (error) => die(log, error, 'uncaught exception'));
  process.on('unhandledRejection', (error) => die(log, error, 'unhandled rejection'));
  process.on('SIGTERM', () => void stop(context, 'SIGTERM'));
  process.on('SIGINT', () => void stop(context, 'SIGINT'));
  try {
    const healthPort = await context.health.listen(context.config.healthAddress);
    shutdown.onStop('health', () => context.health.close());
    await definition.start(context);
    compileWhenBusy(context.compileWhen, growsWhenBusy(definition.name));
    log.info({ healthPort, pid: process.pid, uptimeMs: Math.round(process.uptime() * 1000) }, 'ready');
    const notice: ReadyNotice = { type: 'ready', healthPort };
    process.send?.(notice);
  } catch (error) {
    if (!shutdown.signal.aborted) die(log, error, 'could not start');
  }
}

function createContext({ name, logForm }: ProcessDefinition): ProcessContext {
  const config = configOrExit(name);
  const destination = logForm === 'klog' ? klogStream(standardOutput()) : undefined;
  const log = createLogger(name, { level: config.logLevel, destination });
  const metrics = new Metrics();
  return {
    name,
    environment: process.env,
    config,
    log,
    metrics,
    health: new HealthServer(metrics),
    clock: systemClock,
    random: systemRandom,
    shutdown: new Shutdown(log),
    compileWhen: [],
  };
}

function configOrExit(name: string): ClusterConfig {
  try {
    return readClusterConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${name}: ${error.message}\n`);
    process.exit(2);
  }
}

function exitWithParent(): void {
  process.on('disconnect', () => process.exit(1));
}

function die(log: Logger, error: unknown, what: string): never {
  if (error instanceof ConfigError) log.fatal(error.message);
  else log.fatal({ error }, what);
  process.exit(1);
}

async function stop({ log, shutdown }: ProcessContext, reason: string): Promise<void> {
  if (shutdown.signal.aborted) return;
  log.info({ reason }, 'stopping');
  setTimeout(() => {
    log.error({ limitMs: STOP_LIMIT_MS }, 'the stop hung');
    process.exit(1);
  }, STOP_LIMIT_MS).unref();
  await shutdown.stop();
  process.exit(0);
}
