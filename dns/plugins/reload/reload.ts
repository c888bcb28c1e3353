/** Looks at the Corefile every so often and replaces the running configuration when it changed. */
import type { Timer } from '../../../shared/runtime/clock.ts';
import { durationWord, expectWords, wrong } from '../../directive.ts';
import type { PluginSetup } from '../../plugin.ts';

const INTERVAL_MS = 30_000;
const JITTER_MS = 15_000;
const LEAST_INTERVAL_MS = 2000;
const LEAST_JITTER_MS = 1000;

export const setupReload: PluginSetup = (directive, { clock, random, reload, print, pluginMetrics }) => {
  expectWords(directive, 0, 2, 'an interval and a jitter such as 30s 15s');
  if (directive.words[0] === 'off') return {};
  const intervalMs = directive.words[0] === undefined ? INTERVAL_MS : durationWord(directive, 0);
  const jitterMs = directive.words[1] === undefined ? Math.min(JITTER_MS, intervalMs / 2) : durationWord(directive, 1);
  if (intervalMs < LEAST_INTERVAL_MS) throw wrong(directive, 'an interval of at least 2s');
  if (jitterMs < LEAST_JITTER_MS || jitterMs > intervalMs / 2) {
    throw wrong(directive, 'a jitter from 1s to half of the interval');
  }
  const failures = pluginMetrics
    .counter({
      name: 'coredns_reload_failed_total',
      help: 'Counter of the number of failed reload attempts.',
      labelNames: [],
    })
    .at([]);
  let timer: Timer | undefined;
  const arm = (): void => {
    timer = clock.setTimer(intervalMs - random.next() * jitterMs, () => {
      arm();
      reload().catch((error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        failures.add();
        print('ERROR', `Restart failed: ${why}`);
        print('ERROR', `plugin/reload: Corefile changed but reload failed: ${why}`);
      });
    });
  };
  return { start: arm, stop: () => timer?.cancel() };
};
