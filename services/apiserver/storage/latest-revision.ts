/**
 * The store's newest revision, asked of the store itself: what a read must not be behind of. A question that is asked while
 * one is under way cannot take that one's answer, which may be older than itself; but all of these share the next.
 */
export class LatestRevision {
  private readonly ask: () => Promise<number>;
  private underWay: Promise<number> | undefined;
  private next: Promise<number> | undefined;

  constructor(ask: () => Promise<number>) {
    this.ask = ask;
  }

  /** At least as new as everything that was acknowledged before the call. */
  get(): Promise<number> {
    if (this.underWay === undefined) return this.start();
    this.next ??= this.underWay.then(
      () => this.start(),
      () => this.start(),
    );
    return this.next;
  }

  private start(): Promise<number> {
    this.next = undefined;
    const answer = this.ask().finally(() => {
      if (this.underWay === answer) this.underWay = undefined;
    });
    this.underWay = answer;
    return answer;
  }
}
