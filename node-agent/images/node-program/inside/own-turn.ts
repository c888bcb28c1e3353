/**
 * libuv calls back for each event by itself: what a program does at once or in promises for one of them is done before the next
 * comes. So `await once(socket, 'data')` misses no chunk that follows at its heels.
 */
const waiting: (() => void)[] = [];
let isUnderWay = false;

/** Calls back soon, after those that were asked for before, with ticks and promises run between any two. */
export function inOwnTurn<Values extends unknown[]>(call: (...values: Values) => void, ...values: Values): void {
  waiting.push(() => call(...values));
  if (isUnderWay) return;
  isUnderWay = true;
  process.nextTick(runFirst);
}

function runFirst(): void {
  const call = waiting.shift();
  if (call === undefined) {
    isUnderWay = false;
    return;
  }
  // Asked for before the call, which may throw; it comes to its turn when no promise has anything left to do.
  queueMicrotask(() => process.nextTick(runFirst));
  call();
}
