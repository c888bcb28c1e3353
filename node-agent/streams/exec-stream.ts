/** `kubectl exec` and `kubectl attach`, the node's end. */
import type { Status } from '../../shared/api/status.ts';
import type { ChannelStream } from '../../shared/bus/stream.ts';
import type { AttachStreamRequest, ExecStreamRequest } from '../../shared/bus/subjects.ts';
import { CommandStartError, type ProcessStreams } from '../pods/container-runtime.ts';
import type { PodManager } from '../pods/pod-manager.ts';
import { processStreams } from './channel-io.ts';
import { exitStatus, sendStatus, startFailureStatus } from './command-status.ts';
import { findRunning } from './container-target.ts';

/** Throws ApiError when there is no such container; what happens afterwards is told on the stream. */
export function serveExec(pods: PodManager, request: ExecStreamRequest, stream: ChannelStream): void {
  const { instance } = findRunning(pods, request);
  void runCommand(stream, request, (streams, signal) => instance.exec(request.command, streams, signal));
}

export function serveAttach(pods: PodManager, request: AttachStreamRequest, stream: ChannelStream): void {
  const { instance } = findRunning(pods, request);
  void runCommand(stream, request, async (streams, signal) => {
    await instance.attach(streams, signal);
    return 0;
  });
}

/** Runs something on the stream's channels and ends the stream with its exit code. */
export async function runCommand(
  stream: ChannelStream,
  wanted: Pick<ExecStreamRequest, 'stdin' | 'stdout' | 'stderr' | 'tty'>,
  run: (streams: ProcessStreams, signal: AbortSignal) => Promise<number>,
): Promise<void> {
  const gone = new AbortController();
  void stream.closed.then(() => gone.abort());
  try {
    const status = await statusOf(processStreams(stream, wanted), gone.signal, run);
    if (!gone.signal.aborted) await sendStatus(stream, status);
  } catch (error) {
    stream.close(error instanceof Error ? error : new Error(String(error)));
  }
}

async function statusOf(
  streams: ProcessStreams,
  signal: AbortSignal,
  run: (streams: ProcessStreams, signal: AbortSignal) => Promise<number>,
): Promise<Status> {
  try {
    const exitCode = await run(streams, signal);
    await drained(streams, signal);
    return exitStatus(exitCode);
  } catch (error) {
    if (error instanceof CommandStartError) return startFailureStatus(error.message);
    throw error;
  }
}

/** Resolves when all that the program wrote has left. */
async function drained(streams: ProcessStreams, signal: AbortSignal): Promise<void> {
  for (const writable of new Set([streams.stdout, streams.stderr])) {
    if (signal.aborted || writable.destroyed || writable.writableLength === 0) continue;
    await new Promise<void>((resolve) => {
      writable.write(Buffer.alloc(0), () => resolve());
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}
