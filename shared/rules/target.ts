/** What a rule does with a packet that it matches: iptables' built-in verdicts and target extensions. */

/** The values `REJECT --reject-with` takes here, as iptables spells them. */
export const REJECT_WITH = ['icmp-port-unreachable', 'icmp6-port-unreachable', 'tcp-reset'] as const;
export type RejectWith = (typeof REJECT_WITH)[number];

export interface AcceptTarget {
  readonly kind: 'accept';
}

export interface DropTarget {
  readonly kind: 'drop';
}

/** Goes back to the calling chain, or to the policy of a built-in one. */
export interface ReturnTarget {
  readonly kind: 'return';
}

export interface RejectTarget {
  readonly kind: 'reject';
  readonly with: RejectWith;
}

/** `DNAT --to-destination address[:port]`; without a port the packet keeps its own. */
export interface DnatTarget {
  readonly kind: 'dnat';
  /** uint32. */
  readonly address: number;
  readonly port?: number;
}

/** `SNAT --to-source address`. */
export interface SnatTarget {
  readonly kind: 'snat';
  /** uint32. */
  readonly address: number;
  readonly randomFully?: boolean;
}

/** `MASQUERADE`: the source becomes the address of the device the packet leaves through. */
export interface MasqueradeTarget {
  readonly kind: 'masquerade';
  readonly randomFully?: boolean;
}

/** `MARK --set-xmark value/mask`: mark = (mark AND NOT mask) XOR value. */
export interface MarkTarget {
  readonly kind: 'mark';
  readonly value: number;
  readonly mask: number;
}

/** `CONNMARK --set-xmark value/mask`: the same of the connection's mark. */
export interface ConnmarkTarget {
  readonly kind: 'connmark';
  readonly value: number;
  readonly mask: number;
}

/** `CONNMARK --restore-mark --nfmask mask --ctmask mask`: those bits of the packet's mark become the connection's. */
export interface RestoreMarkTarget {
  readonly kind: 'restore-mark';
  readonly mask: number;
}

/** `LOG --log-prefix prefix --log-level level`: a line in the kernel's log, and on to the next rule. */
export interface LogTarget {
  readonly kind: 'log';
  readonly prefix: string;
  /** As syslog counts, from 0 (emerg) to 7 (debug). */
  readonly level: number;
}

/** `-j CHAIN`: evaluation comes back after the chain unless it gave a verdict. */
export interface JumpTarget {
  readonly kind: 'jump';
  readonly chain: string;
}

/** `-g CHAIN`: evaluation goes on in the chain and returns to the caller of the present one. */
export interface GotoTarget {
  readonly kind: 'goto';
  readonly chain: string;
}

export type Target =
  | AcceptTarget
  | DropTarget
  | ReturnTarget
  | RejectTarget
  | DnatTarget
  | SnatTarget
  | MasqueradeTarget
  | MarkTarget
  | ConnmarkTarget
  | RestoreMarkTarget
  | LogTarget
  | JumpTarget
  | GotoTarget;

/** LOG's own: warning. */
export const DEFAULT_LOG_LEVEL = 4;
/** Of LOG's prefix. */
export const MAX_LOG_PREFIX_LENGTH = 29;

export function jump(chain: string): JumpTarget {
  return { kind: 'jump', chain };
}

/** `MARK --or-mark bits`, which iptables-save shows as `--set-xmark bits/bits`. */
export function orMark(bits: number): MarkTarget {
  return { kind: 'mark', value: bits, mask: bits };
}

/** `MARK --xor-mark bits`, which iptables-save shows as `--set-xmark bits/0x0`. */
export function xorMark(bits: number): MarkTarget {
  return { kind: 'mark', value: bits, mask: 0 };
}
