/** What `conntrack -E` shows: connections as they come, change and go, kept for as long as somebody reads. */
import type { Conntrack } from '../datapath/conntrack.ts';
import type { ConnectionObserver } from '../datapath/conntrack-table.ts';
import type { Connection } from '../datapath/flow.ts';
import { type ConnectionRow, connectionRow } from '../datapath/show/conntrack.ts';
import { EventLog } from './event-log.ts';

export type EventKind = 'NEW' | 'UPDATE' | 'DESTROY';

export interface ConnectionEvent {
  readonly kind: EventKind;
  readonly row: ConnectionRow;
}

export class ConnectionEvents implements ConnectionObserver {
  readonly log: EventLog<ConnectionEvent>;
  private readonly nowUs: () => number;

  constructor({ table }: Conntrack, nowUs: () => number) {
    this.nowUs = nowUs;
    this.log = new EventLog(nowUs, (listens) => {
      table.observer = listens ? this : null;
    });
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
    this.log.keep(() => {
      const row = connectionRow(connection, this.nowUs());
      return { kind, row: { ...row, timeoutSeconds: Math.max(0, row.timeoutSeconds) } };
    });
  }
}
