/** Runs a call as a turn of the node's event loop: the time is now, and what it sends leaves. */
export type Turn = <Result>(call: () => Result) => Result;

export const AS_IT_STANDS: Turn = (call) => call();
