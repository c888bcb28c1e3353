import * as tcp from '../../wire/tcp.ts';
import { Alarm } from '../alarm.ts';
import type { TcpConnection } from './connection.ts';
import { sendSegment } from './segment-output.ts';
import * as seq from './seq.ts';

/** TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT of one socket. */
export interface KeepAliveTimes {
  readonly idleUs: number;
  readonly intervalUs: number;
  readonly probes: number;
}

/** Probes a peer that has been silent for long (RFC 1122 section 4.2.3.6), and gives the connection up when none is answered. */
export class KeepAlive {
  private readonly connection: TcpConnection;
  private readonly times: KeepAliveTimes | undefined;
  private readonly alarm: Alarm;
  private heardUs: number;
  private probes = 0;

  constructor(connection: TcpConnection, times?: KeepAliveTimes) {
    const { engine } = connection.host;
    this.connection = connection;
    this.times = times;
    this.heardUs = engine.nowUs;
    this.alarm = new Alarm(engine, () => this.due());
    this.alarm.set(engine.nowUs + this.current().idleUs);
  }

  /** A segment came. */
  heard(): void {
    this.heardUs = this.connection.host.engine.nowUs;
    this.probes = 0;
  }

  dispose(): void {
    this.alarm.dispose();
  }

  private due(): void {
    const { engine } = this.connection.host;
    const { idleUs, intervalUs, probes } = this.current();
    const idleUntil = this.heardUs + idleUs;
    // What is in flight probes by itself.
    if (idleUntil > engine.nowUs || this.connection.sender.inFlightBytes > 0) {
      this.alarm.set(Math.max(idleUntil, engine.nowUs + intervalUs));
      return;
    }
    if (this.probes >= probes) {
      this.connection.timedOut();
      return;
    }
    this.probes++;
    sendSegment(this.connection, tcp.ACK, seq.add(this.connection.sender.unacknowledged, -1), 0, 0);
    this.alarm.set(engine.nowUs + intervalUs);
  }

  private current(): KeepAliveTimes {
    const { settings } = this.connection.host.tcp;
    const { keepAliveIdleUs: idleUs, keepAliveIntervalUs: intervalUs, keepAliveProbes: probes } = settings;
    return this.times ?? { idleUs, intervalUs, probes };
  }
}
