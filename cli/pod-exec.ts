/** Runs a command in a container, or on a node, over the bus, without kubectl. */
import type { Bus } from '../shared/bus/connection.ts';
import { openStream } from '../shared/bus/stream.ts';
import { NODE_STREAM, type NodeStreamRequest, STREAM_CHANNEL } from '../shared/bus/subjects.ts';
import { type CommandStatus, decodeCommandStatus } from './command-status.ts';

export interface PodPlace {
  readonly namespace: string;
  readonly pod: string;
  readonly node: string;
}

export interface CommandOutput {
  stdout?(text: string): void;
  stderr?(text: string): void;
}

export interface RunningCommand {
  readonly ended: Promise<CommandStatus>;
  /** Ends the command. */
  stop(): void;
}

const WITHOUT_INPUT = { stdin: false, stdout: true, stderr: true, tty: false } as const;

export function startInPod(
  bus: Bus,
  { namespace, pod, node }: PodPlace,
  command: readonly string[],
  output: CommandOutput,
): Promise<RunningCommand> {
  return start(bus, node, { kind: 'exec', namespace, pod, command, ...WITHOUT_INPUT }, output);
}

/** As `podwire node exec`. */
export function startOnNode(
  bus: Bus,
  node: string,
  command: readonly string[],
  output: CommandOutput,
): Promise<RunningCommand> {
  return start(bus, node, { kind: 'node-exec', command, ...WITHOUT_INPUT }, output);
}

async function start(
  bus: Bus,
  node: string,
  request: NodeStreamRequest,
  output: CommandOutput,
): Promise<RunningCommand> {
  const stream = await openStream(bus, NODE_STREAM, { node }, request);
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder(), status: new TextDecoder() };
  let statusText = '';
  stream.onData((channel, data) => {
    if (channel === STREAM_CHANNEL.stdout) output.stdout?.(decoders.stdout.decode(data, { stream: true }));
    else if (channel === STREAM_CHANNEL.stderr) output.stderr?.(decoders.stderr.decode(data, { stream: true }));
    else if (channel === STREAM_CHANNEL.error) statusText += decoders.status.decode(data, { stream: true });
  });
  const ended = stream.closed.then((error): CommandStatus => {
    if (error !== undefined) return { exitCode: 1, message: error.message };
    return decodeCommandStatus(statusText);
  });
  return { ended, stop: () => stream.close() };
}

export interface PodCommandResult extends CommandStatus {
  readonly stdout: string;
  readonly stderr: string;
}

export async function runInPod(bus: Bus, place: PodPlace, command: readonly string[]): Promise<PodCommandResult> {
  let stdout = '';
  let stderr = '';
  const running = await startInPod(bus, place, command, {
    stdout: (text) => {
      stdout += text;
    },
    stderr: (text) => {
      stderr += text;
    },
  });
  return { ...(await running.ended), stdout, stderr };
}
