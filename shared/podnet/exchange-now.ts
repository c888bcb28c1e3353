/**
 * A request over a Unix socket whose answer is waited for on the spot. `listen` and `bind` of Node's modules know at once
 * whether they failed and which port they got; the process that answers is another one, so nothing waits for itself.
 */
import { readSync, writeSync } from 'node:fs';
import type { Socket } from 'node:net';

/** What libuv's handle of a Unix socket has beside what `net.Socket` shows. */
interface PipeHandle {
  readonly fd: number;
  setBlocking(on: boolean): number;
}

const CHUNK_BYTES = 64 * 1024;

/**
 * Writes `parts` and hands on what comes until `take` says that it is enough, or the other end is gone. Nothing may have
 * been written through `link` before: a Unix socket is connected as soon as it was asked for, even before its event.
 */
export function exchangeNow(link: Socket, parts: readonly Uint8Array[], take: (chunk: Uint8Array) => boolean): void {
  const handle = handleOf(link);
  if (handle === undefined) return;
  handle.setBlocking(true);
  try {
    const request = Buffer.concat(parts);
    for (let sent = 0; sent < request.length; ) sent += writeSync(handle.fd, request, sent);
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const length = readSync(handle.fd, chunk);
      if (length === 0 || take(chunk.subarray(0, length))) return;
    }
  } catch (error) {
    if (!isGone(error)) throw error;
  } finally {
    handle.setBlocking(false);
  }
}

/** It never was there, or left meanwhile: the link tells that by its own events. */
function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ENOTCONN', 'EPIPE', 'ECONNRESET'].includes(String(error.code));
}

function handleOf(link: Socket): PipeHandle | undefined {
  // Node shows its handle under this name, and its types do not; it has no descriptor when connecting failed.
  const { _handle: handle } = link as unknown as { readonly _handle: PipeHandle | null };
  return handle === null || handle.fd < 0 ? undefined : handle;
}
