/** How what the stack tells reaches programs: after its turn. */

/** Runs a call as a turn of the engine: its time set before, its backlog drained after. */
export interface StackLoop {
  run<Result>(call: () => Result): Result;
}

/**
 * What the stack told in one turn, handed to the programs after it, in order. All of it happens in one further turn, so
 * that what the programs answer leaves as one batch.
 */
export class Deliveries {
  private readonly loop: StackLoop;
  private waiting: (() => void)[] = [];
  private readonly run = (): void => this.loop.run(() => this.deliverAll());

  constructor(loop: StackLoop) {
    this.loop = loop;
  }

  add(deliver: () => void): void {
    if (this.waiting.length === 0) queueMicrotask(this.run);
    this.waiting.push(deliver);
  }

  private deliverAll(): void {
    const due = this.waiting;
    this.waiting = [];
    for (const deliver of due) {
      try {
        deliver();
      } catch (error) {
        // A fault in one program's listener must not keep the others from what is theirs.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

/** One for all networks of an event loop. */
const deliveriesOfLoops = new WeakMap<StackLoop, Deliveries>();

export function deliveriesOf(loop: StackLoop): Deliveries {
  let deliveries = deliveriesOfLoops.get(loop);
  if (deliveries === undefined) {
    deliveries = new Deliveries(loop);
    deliveriesOfLoops.set(loop, deliveries);
  }
  return deliveries;
}
