/** Network failures in the words of Go's `net` package, which tests and people look for in answers and logs. */
import { ResolveError } from '../../../shared/podnet/resolver.ts';
import { socketErrorCode, socketErrorText } from '../../../shared/podnet/socket-error.ts';

/** Connecting (or waiting for an answer) took longer than it may. */
export class NetworkTimeoutError extends Error {
  override readonly name = 'NetworkTimeoutError';

  constructor() {
    super('i/o timeout');
  }
}

/** `dial tcp 10.244.1.5:80: connect: connection refused`; `operation` is `dial tcp`, `read udp`, ... */
export function goNetworkError(error: unknown, operation: string, target: string): string {
  if (error instanceof NetworkTimeoutError) return `${operation} ${target}: i/o timeout`;
  if (error instanceof ResolveError) {
    const cause = error.code === 'ENOTFOUND' ? 'no such host' : 'server misbehaving';
    return `${operation}: lookup ${error.hostname}: ${cause}`;
  }
  const code = socketErrorCode(error);
  if (code === undefined) return error instanceof Error ? error.message : String(error);
  const call = operation.startsWith('dial') ? 'connect' : operation.split(' ', 1)[0];
  return `${operation} ${target}: ${call}: ${socketErrorText(code).toLowerCase()}`;
}
