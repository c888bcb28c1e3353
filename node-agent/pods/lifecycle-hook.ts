/** postStart and preStop hooks: a command in the container, an HTTP request to it, or a pause. */
import type { LifecycleHandler } from 'kubernetes-types/core/v1.d.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { checkProbe, type ProbeTarget } from './probe-check.ts';

/** A hook without a limit of its own is held to be hung after this. */
const HOOK_LIMIT_MS = 600_000;

/** Resolves with undefined, or with why the hook failed. */
export async function runHook(
  hook: LifecycleHandler,
  target: ProbeTarget,
  clock: Clock,
  limitMs = HOOK_LIMIT_MS,
): Promise<string | undefined> {
  const pauseSeconds = (hook as { readonly sleep?: { readonly seconds?: number } }).sleep?.seconds;
  if (pauseSeconds !== undefined) {
    await clock.sleep(Math.min(pauseSeconds * 1000, limitMs));
    return undefined;
  }
  const outcome = await checkProbe(hook, target, limitMs);
  return outcome.passed ? undefined : outcome.output || 'the hook exited with a non-zero code';
}
