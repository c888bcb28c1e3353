/** npm and our own launcher pass a terminal's Ctrl-C on once more; only what comes later is the user's second one. */
const SECOND_SIGNAL_MS = 1000;

/** Calls `first` at the first of these signals, and `second` at those that come after it. */
export function onStopSignals(signals: readonly NodeJS.Signals[], first: () => void, second: () => void): void {
  let firstMs: number | undefined;
  const stop = (): void => {
    if (firstMs === undefined) {
      firstMs = performance.now();
      first();
    } else if (performance.now() - firstMs > SECOND_SIGNAL_MS) second();
  };
  for (const signal of signals) process.on(signal, stop);
}
