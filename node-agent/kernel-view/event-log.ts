/** Events kept for as long as somebody reads them (`conntrack -E`, `ip monitor`): a netlink socket's buffer, shared by its readers. */

/** What a reader has not come for by then is lost, as with a full socket buffer. */
export const MAX_EVENTS = 4096;
/** A reader that does not come back for so long is gone. */
const READER_GONE_US = 5_000_000;

export class EventLog<Event> {
  private readonly nowUs: () => number;
  private readonly listen: (listens: boolean) => void;
  private events: Event[] = [];
  /** Number of the first event that is kept. */
  private first = 0;
  private readUs = 0;

  /** `listen` is told when events are wanted, and when no longer. */
  constructor(nowUs: () => number, listen: (listens: boolean) => void) {
    this.nowUs = nowUs;
    this.listen = listen;
  }

  /** Events are kept from now on; the number of the next one. */
  follow(): number {
    this.readUs = this.nowUs();
    this.listen(true);
    return this.first + this.events.length;
  }

  /** Those from number `from` on that are kept still. */
  since(from: number): { readonly events: readonly Event[]; readonly lost: boolean; readonly next: number } {
    const events = this.events.slice(Math.max(0, from - this.first));
    return { events, lost: from < this.first, next: this.follow() };
  }

  /** `event` is made only where somebody reads. */
  keep(event: () => Event): void {
    if (this.nowUs() - this.readUs > READER_GONE_US) {
      this.first += this.events.length;
      this.events = [];
      this.listen(false);
      return;
    }
    this.events.push(event());
    if (this.events.length <= 2 * MAX_EVENTS) return;
    this.events.splice(0, this.events.length - MAX_EVENTS);
    this.first += MAX_EVENTS + 1;
  }
}
