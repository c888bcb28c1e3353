import { Alarm } from '../alarm.ts';
import type { Engine } from '../engine.ts';
import type { RetransmissionTimeout } from './rto.ts';

export type TimerPurpose = 'nothing' | 'acknowledgement' | 'window';

/** The one timer of a sender: for what is in flight (RFC 6298 section 5), or else the persist timer of a closed window. */
export class RetransmissionTimer {
  private readonly engine: Engine;
  private readonly rto: RetransmissionTimeout;
  private readonly alarm: Alarm;
  private purpose: TimerPurpose = 'nothing';

  constructor(engine: Engine, rto: RetransmissionTimeout, fired: () => void) {
    this.engine = engine;
    this.rto = rto;
    this.alarm = new Alarm(engine, fired);
  }

  /** Goes on if it runs for the same purpose. */
  arm(purpose: TimerPurpose): void {
    if (purpose === this.purpose && this.alarm.isSet) return;
    this.purpose = purpose;
    if (purpose === 'nothing') this.alarm.clear();
    else this.alarm.set(this.engine.nowUs + this.rto.currentUs);
  }

  /** The next `arm` starts it anew. */
  clear(): void {
    this.alarm.clear();
  }

  dispose(): void {
    this.alarm.dispose();
  }
}
