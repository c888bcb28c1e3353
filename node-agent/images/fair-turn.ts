/**
 * All emulated programs of a node share its process with the node itself: one that never waits for anything (`cat /dev/zero`,
 * `while :; do :; done`) would keep packets, timers and heartbeats from their turn. So whoever may loop asks here now and then.
 */

/** How long programs go on before everybody else has a turn. */
const SLICE_MS = 4;

let sliceBeganMs = 0;

/** Resolves at once, or after a turn of the event loop when the last one was some milliseconds ago. */
export async function fairTurn(): Promise<void> {
  if (performance.now() - sliceBeganMs < SLICE_MS) return;
  await new Promise((resolve) => setImmediate(resolve));
  sliceBeganMs = performance.now();
}
