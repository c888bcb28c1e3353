/** Whether TLS is about to wrap a handle: then, and only then, a handle of the pod passes for a native stream. */
import { TLSSocket } from 'node:tls';

let depth = 0;

export function isBeingWrapped(): boolean {
  return depth > 0;
}

export function watchWrapping(): void {
  const sockets = TLSSocket.prototype as unknown as { _wrapHandle(...values: unknown[]): unknown };
  const wrapHandle = sockets._wrapHandle;
  sockets._wrapHandle = function wrapped(...values) {
    depth += 1;
    try {
      return wrapHandle.apply(this, values);
    } finally {
      depth -= 1;
    }
  };
}
