import { setTimeout as delay } from 'node:timers/promises';

/** Polls until the condition holds; throws, naming what was waited for, when it does not within the limit. */
export async function waitFor(
  what: string,
  condition: () => Promise<boolean> | boolean,
  limitMs = 60_000,
): Promise<void> {
  const giveUpAt = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > giveUpAt) throw new Error(`waited ${limitMs / 1000} s for ${what}`);
    await delay(50);
  }
}
