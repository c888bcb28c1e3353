/** How a command on a node or in a container ended. */
import { isJsonObject } from '../shared/api/object.ts';

export interface CommandStatus {
  readonly exitCode: number;
  /** When the command could not be run: why. */
  readonly message?: string;
}

/** From the Status that ends a command (Kubernetes' remote command protocol); exit code 1 for any failure without one. */
export function decodeCommandStatus(statusText: string): CommandStatus {
  const status: unknown = statusText === '' ? undefined : JSON.parse(statusText);
  if (!isJsonObject(status) || status.status === 'Success') return { exitCode: 0 };
  const causes = isJsonObject(status.details) && Array.isArray(status.details.causes) ? status.details.causes : [];
  for (const cause of causes) {
    if (isJsonObject(cause) && cause.reason === 'ExitCode') return { exitCode: Number(cause.message) };
  }
  return { exitCode: 1, message: typeof status.message === 'string' ? status.message : 'the command failed' };
}
