/**
 * How many of a component's requests are under way at a time, so that a thousand things to do at once do not make the
 * apiserver's line so long that the renewal of a Lease, or a user, waits behind them. As the original's clients have a rate and
 * a burst: work goes before what only tells about it (events), and the latter has a rate of its own while there is work.
 */

/** Runs a request when it is its turn. */
export type RequestLane = <Result>(request: () => Promise<Result>) => Promise<Result>;

export interface RequestLanesOptions {
  /** Requests of the work lane under way at a time. */
  readonly inFlight: number;
  /** Milliseconds on a clock that only goes forward. */
  readonly nowMs: () => number;
}

/** More background requests in line than this are refused. */
export class BackgroundLaneFullError extends Error {
  override readonly name = 'BackgroundLaneFullError';
}

const BACKGROUND_IN_FLIGHT = 8;
const MAX_BACKGROUND_WAITING = 10_000;
/** Background requests that may go beside work without a pause, and how many more each second. */
const BACKGROUND_BURST = 100;
const BACKGROUND_PER_SECOND = 20;

export class RequestLanes {
  private readonly options: RequestLanesOptions;
  private readonly waiting = { work: new Line(), background: new Line() };
  private readonly underWay = { work: 0, background: 0 };
  private tokens = BACKGROUND_BURST;
  private refilledMs: number;

  constructor(options: RequestLanesOptions) {
    this.options = options;
    this.refilledMs = options.nowMs();
  }

  readonly work: RequestLane = async (request) => {
    await this.turn('work');
    return this.carryOut('work', request);
  };

  /** Rejects with BackgroundLaneFullError. */
  readonly background: RequestLane = async (request) => {
    if (this.waiting.background.length >= MAX_BACKGROUND_WAITING) {
      throw new BackgroundLaneFullError(`${MAX_BACKGROUND_WAITING} background requests are waiting`);
    }
    await this.turn('background');
    return this.carryOut('background', request);
  };

  private turn(lane: 'work' | 'background'): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.waiting[lane].push(resolve);
    this.admit();
    return promise;
  }

  private async carryOut<Result>(lane: 'work' | 'background', request: () => Promise<Result>): Promise<Result> {
    try {
      return await request();
    } finally {
      this.underWay[lane]--;
      this.admit();
    }
  }

  /** Called whenever a request comes or ends: while work is under way there is always another call to come. */
  private admit(): void {
    const { waiting, underWay, options } = this;
    while (waiting.work.length > 0 && underWay.work < options.inFlight) {
      underWay.work++;
      waiting.work.shift()?.();
    }
    while (waiting.background.length > 0 && this.mayGoInBackground()) {
      underWay.background++;
      waiting.background.shift()?.();
    }
  }

  private mayGoInBackground(): boolean {
    if (this.underWay.background >= BACKGROUND_IN_FLIGHT) return false;
    if (this.underWay.work === 0) return true;
    const nowMs = this.options.nowMs();
    const earned = ((nowMs - this.refilledMs) * BACKGROUND_PER_SECOND) / 1000;
    this.tokens = Math.min(BACKGROUND_BURST, this.tokens + earned);
    this.refilledMs = nowMs;
    if (this.tokens < 1) return false;
    this.tokens--;
    return true;
  }
}

/** First in, first out; taking from the front does not move the rest. */
class Line {
  private entries: (() => void)[] = [];
  private head = 0;

  get length(): number {
    return this.entries.length - this.head;
  }

  push(entry: () => void): void {
    this.entries.push(entry);
  }

  shift(): (() => void) | undefined {
    const entry = this.entries[this.head++];
    if (this.head * 2 > this.entries.length) {
      this.entries = this.entries.slice(this.head);
      this.head = 0;
    }
    return entry;
  }
}
