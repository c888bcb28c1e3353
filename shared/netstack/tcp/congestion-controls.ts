import type { CongestionControl } from './congestion.ts';
import { Cubic } from './cubic.ts';
import { NewReno } from './new-reno.ts';

/** By the names of Linux' tcp_congestion_control. */
const makers = {
  reno: (mssBytes: number): CongestionControl => new NewReno(mssBytes),
  cubic: (mssBytes: number): CongestionControl => new Cubic(mssBytes),
};

export type CongestionControlName = keyof typeof makers;

export const congestionControlNames = Object.keys(makers) as readonly CongestionControlName[];

export function isCongestionControlName(text: string): text is CongestionControlName {
  return Object.hasOwn(makers, text);
}

/** The congestion control of one connection. */
export function createCongestionControl(name: CongestionControlName, mssBytes: number): CongestionControl {
  return makers[name](mssBytes);
}
