/** Flags of a segment as `--tcp-flags` names them (iptables-extensions(8)). */
import * as tcp from '../wire/tcp.ts';

/** Those of `mask` are looked at, and must be just `set`. */
export interface TcpFlags {
  readonly mask: number;
  readonly set: number;
}

/** In iptables' order. */
const FLAGS = { FIN: tcp.FIN, SYN: tcp.SYN, RST: tcp.RST, PSH: tcp.PSH, ACK: tcp.ACK, URG: tcp.URG } as const;
const ALL_FLAGS = 0x3f;

/** `--syn`: what opens a connection. */
export const SYN_ALONE: TcpFlags = { mask: tcp.FIN | tcp.SYN | tcp.RST | tcp.ACK, set: tcp.SYN };

/** `SYN,ACK`, `ALL`, `NONE`; the word that is no flag where there is one. */
export function parseTcpFlags(text: string): number | string {
  let bits = 0;
  for (const name of text.toUpperCase().split(',')) {
    const [, bit] = Object.entries(FLAGS).find(([known]) => known === name) ?? [];
    if (name === 'ALL') bits |= ALL_FLAGS;
    else if (bit !== undefined) bits |= bit;
    else if (name !== 'NONE') return text.split(',').find((word) => word.toUpperCase() === name) ?? name;
  }
  return bits;
}

export function tcpFlagsText(bits: number): string {
  const names = Object.entries(FLAGS).filter(([, bit]) => (bits & bit) !== 0);
  return names.length === 0 ? 'NONE' : names.map(([name]) => name).join(',');
}
