/** How a command ended, as the Status that ends an exec (Kubernetes remote command protocol, v4 and later). */
import { internalError, type Status } from '../../shared/api/status.ts';
import type { ChannelStream } from '../../shared/bus/stream.ts';
import { STREAM_CHANNEL } from '../../shared/bus/subjects.ts';

export function exitStatus(exitCode: number): Status {
  const base = { kind: 'Status', apiVersion: 'v1', metadata: {} } as const;
  if (exitCode === 0) return { ...base, status: 'Success' };
  return {
    ...base,
    status: 'Failure',
    reason: 'NonZeroExitCode',
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}

/** The command never ran. */
export function startFailureStatus(message: string): Status {
  return internalError(`error executing command in container: ${message}`).toStatus();
}

export async function sendStatus(stream: ChannelStream, status: Status): Promise<void> {
  await stream.send(STREAM_CHANNEL.error, new TextEncoder().encode(JSON.stringify(status)));
  stream.close();
}
