import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 20;

/**
 * Waits for a condition instead of sleeping: polls until it gives something truthy and resolves to that; throws, naming
 * what was waited for, when it does not within the limit.
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | Promise<T>,
  limitMs = 60_000,
): Promise<NonNullable<T>> {
  const giveUpAtMs = performance.now() + limitMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > giveUpAtMs) throw new Error(`waited ${limitMs / 1000} s in vain for ${what}`);
    await delay(POLL_MS);
  }
}
