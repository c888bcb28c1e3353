/** What `conntrack -E` shows: connections as they come, change and go, kept for as long as somebody reads. */
import type { Conntrack } from '../datapath/conntrack.ts';
import type { ConnectionObserver } from '../datapath/conntrack-table.ts';
import type { Connection } from '../datapath/flow.ts';
import { type ConnectionRow, connectionRow } from '../datapath/show/conntrack.ts';

/** What a reader has not come for by then is lost, as with a full socket buffer. */
export const MAX_EVENTS = 4096;
/** A reader that does not come back for so long is gone. */
const READER_GONE_US = 5_000_000;

export type EventKind = 'NEW' | 'UPDATE' | 'DESTROY';

export interface ConnectionEvent {
  readonly kind: EventKind;
  readonly row: ConnectionRow;
}

export class ConnectionEvents implements ConnectionObserver {
  private readonly conntrack: Conntrack;
  private readonly nowUs: () => number;
  private events: ConnectionEvent[] = [];
  /** Number of the first event that is kept. */
  private first = 0;
  private readUs = 0;

  constructor(conntrack: Conntrack, nowUs: () => number) {
    this.conntrack = conntrack;
    this.nowUs = nowUs;
  }

  /** Events are kept from now on; the number of the next one. */
  follow(): number {
    this.readUs = this.nowUs();
    this.conntrack.table.observer = this;
    return this.first + this.events.length;
  }

  /** Those from number `from` on that are kept still. */
  since(from: number): { readonly events: readonly ConnectionEvent[]; readonly lost: boolean; readonly next: number } {
    const events = this.events.slice(Math.max(0, from - this.first));
    return { events, lost: from < this.first, next: this.follow() };
  }

  opened(connection: Connection): void {
    this.keep('NEW', connection);
  }

  changed(connection: Connection): void {
    this.keep('UPDATE', connection);
  }

  closing(connection: Connection): void {
    this.keep('DESTROY', connection);
  }

  private keep(kind: EventKind, connection: Connection): void {
    const nowUs = this.nowUs();
    if (nowUs - this.readUs > READER_GONE_US) {
      this.first += this.events.length;
      this.events = [];
      this.conntrack.table.observer = null;
      return;
    }
    const row = connectionRow(connection, nowUs);
    this.events.push({ kind, row: { ...row, timeoutSeconds: Math.max(0, row.timeoutSeconds) } });
    if (this.events.length <= 2 * MAX_EVENTS) return;
    this.events.splice(0, this.events.length - MAX_EVENTS);
    this.first += MAX_EVENTS + 1;
  }
}
