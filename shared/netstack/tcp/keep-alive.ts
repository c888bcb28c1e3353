import * as tcp from '../../wire/tcp.ts';
import { Alarm } from '../alarm.ts';
import type { TcpConnection } from './connection.ts';
import { sendSegment } from './segment-output.ts';
import * as seq from './seq.ts';

/** Probes a peer that has been silent for long (RFC 1122 section 4.2.3.6), and gives the connection up when none is answered. */
export class KeepAlive {
  private readonly connection: TcpConnection;
  private readonly idleUs: number;
  private readonly alarm: Alarm;
  private heardUs: number;
  private probes = 0;

  constructor(connection: TcpConnection, idleUs: number) {
    const { engine } = connection.host;
    this.connection = connection;
    this.idleUs = idleUs;
    this.heardUs = engine.nowUs;
    this.alarm = new Alarm(engine, () => this.due());
    this.alarm.set(engine.nowUs + idleUs);
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
    const { engine, tcp: layer } = this.connection.host;
    const { keepAliveIntervalUs, keepAliveProbes } = layer.settings;
    const idleUntil = this.heardUs + this.idleUs;
    // What is in flight probes by itself.
    if (idleUntil > engine.nowUs || this.connection.sender.inFlightBytes > 0) {
      this.alarm.set(Math.max(idleUntil, engine.nowUs + keepAliveIntervalUs));
      return;
    }
    if (this.probes >= keepAliveProbes) {
      this.connection.timedOut();
      return;
    }
    this.probes++;
    sendSegment(this.connection, tcp.ACK, seq.add(this.connection.sender.unacknowledged, -1), 0, 0);
    this.alarm.set(engine.nowUs + keepAliveIntervalUs);
  }
}
