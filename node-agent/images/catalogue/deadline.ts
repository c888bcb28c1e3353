/** One time limit for a chain of network calls. */
import { NetworkTimeoutError } from './go-network-error.ts';

/**
 * Runs a call that gives up when its signal is aborted: after `timeoutMs` (never when 0) or with `parent`.
 * Throws `NetworkTimeoutError` when the time was what ended it.
 */
export async function withDeadline<Result>(
  timeoutMs: number,
  parent: AbortSignal,
  call: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  let late = false;
  const expired = Promise.withResolvers<never>();
  const stop = (): void => {
    controller.abort(parent.reason);
    expired.reject(parent.reason);
  };
  const timer =
    timeoutMs <= 0
      ? undefined
      : setTimeout(() => {
          late = true;
          controller.abort();
          expired.reject(new NetworkTimeoutError());
        }, timeoutMs);
  if (parent.aborted) stop();
  parent.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([call(controller.signal), expired.promise]);
  } catch (error) {
    throw late ? new NetworkTimeoutError() : error;
  } finally {
    clearTimeout(timer);
    parent.removeEventListener('abort', stop);
  }
}
