/**
 * The frame of the programs that bring a network to a node: they read their configuration, tell the node's kernel to set the
 * network up, say what they do in their original's words, and run until they are told to end. What they set up stays.
 */
import { klogLine } from '../../../../shared/runtime/klog.ts';
import { FileError } from '../../files/file-error.ts';
import type { Program, ProgramContext } from '../../image.ts';
import { type Service, serviceProgram } from '../service.ts';

export interface NetworkRequest {
  readonly plugin: string;
  readonly backend: string;
  /** What else the plugin is told, by the names of the daemon's environment. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface NetworkDaemon {
  /** From arguments, environment and files. Throws DaemonConfigurationError. */
  readonly request: (context: ProgramContext) => NetworkRequest;
  /** Lines of its log before and after the network is there: place in its source, and text. */
  readonly before: (request: NetworkRequest, context: ProgramContext) => readonly LogLine[];
  readonly after: (request: NetworkRequest, podCidr: string, context: ProgramContext) => readonly LogLine[];
  /** Of a line; klog's by default. */
  readonly format?: (entry: LogEntry) => string;
}

export interface LogEntry {
  readonly level: string;
  /** ISO 8601 */
  readonly time: string;
  readonly source: string;
  readonly msg: string;
}

export type LogLine = readonly [source: string, text: string];

/** What the daemon was given is no configuration of its own; the message says what would be. */
export class DaemonConfigurationError extends Error {
  override readonly name = 'DaemonConfigurationError';
}

export function networkDaemon(daemon: NetworkDaemon): Program {
  return serviceProgram(async (service) => {
    const { context } = service;
    for (const name of ['SIGTERM', 'SIGINT'] as const) service.onSignals([name], () => service.finish(0));
    try {
      const request = daemon.request(context);
      say(service, daemon, daemon.before(request, context));
      const podCidr = setUp(context, request);
      say(service, daemon, daemon.after(request, podCidr, context));
    } catch (error) {
      if (!(error instanceof DaemonConfigurationError)) throw error;
      say(service, daemon, [['main.go:1', error.message]], 'error');
      service.finish(1);
    }
  });
}

/** The node's pod CIDR. */
function setUp({ container }: ProgramContext, { plugin, backend, settings = {} }: NetworkRequest): string {
  const assignments = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  const reply = container.kernel?.run(['cni-daemon', plugin, backend, ...assignments]);
  if (reply === undefined || reply.code === 127) {
    throw new DaemonConfigurationError('the pod is not on the network of its node: it needs hostNetwork: true');
  }
  if (reply.code !== 0) throw new DaemonConfigurationError(reply.stderr.trimEnd());
  return reply.stdout;
}

function say(service: Service, { format = klogEntry }: NetworkDaemon, lines: readonly LogLine[], level = 'info'): void {
  const time = new Date().toISOString();
  for (const [source, msg] of lines) service.log(format({ level, time, source, msg }));
}

function klogEntry(entry: LogEntry): string {
  return klogLine({ ...entry });
}

/** What an installer writes, as JSON. */
export function writeConfiguration({ container }: ProgramContext, path: string, content: object): void {
  container.files.mkdir(path.slice(0, path.lastIndexOf('/')), { recursive: true });
  container.files.writeFile(path, `${JSON.stringify(content, null, 2)}\n`);
}

/** Undefined when there is no such file. */
export function fileText({ container }: ProgramContext, path: string): string | undefined {
  try {
    return container.files.readText(path);
  } catch (error) {
    if (error instanceof FileError) return undefined;
    throw error;
  }
}
