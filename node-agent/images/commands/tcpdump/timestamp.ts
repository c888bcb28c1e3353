/** The time before each line. */
import type { TcpdumpOptions } from './options.ts';

const SECOND_NS = 1_000_000_000n;

export class Timestamps {
  private readonly form: TcpdumpOptions['timestamp'];
  private firstNs: bigint | undefined;
  private lastNs: bigint | undefined;

  constructor(form: TcpdumpOptions['timestamp']) {
    this.form = form;
  }

  /** With a blank after it; empty with `-t`. */
  text(timestampNs: bigint): string {
    this.firstNs ??= timestampNs;
    const last = this.lastNs ?? timestampNs;
    this.lastNs = timestampNs;
    switch (this.form) {
      case 'none':
        return '';
      case 'epoch':
        return `${timestampNs / SECOND_NS}.${microseconds(timestampNs)} `;
      case 'since-last':
        return difference(timestampNs - last);
      case 'since-first':
        return difference(timestampNs - this.firstNs);
      case 'time':
        return `${clockText(timestampNs)} `;
      case 'date':
        return `${new Date(Number(timestampNs / 1_000_000n)).toISOString().slice(0, 10)} ${clockText(timestampNs)} `;
    }
  }
}

function clockText(ns: bigint): string {
  const seconds = Number((ns / SECOND_NS) % 86_400n);
  const part = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  return `${part(seconds / 3600)}:${part((seconds / 60) % 60)}:${part(seconds % 60)}.${microseconds(ns)}`;
}

function difference(ns: bigint): string {
  return ns < 0n ? `-${clockText(-ns)} ` : ` ${clockText(ns)} `;
}

function microseconds(ns: bigint): string {
  return String((ns % SECOND_NS) / 1000n).padStart(6, '0');
}
