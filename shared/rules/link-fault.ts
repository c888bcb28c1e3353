/** How faults of links are set on a node, and what the node says of them. */
import type { Impairment, ImpairmentChange } from './impairment.ts';

/** Seen from the pod or device: `to` is what it is sent, or what leaves by the device; `from` the other way. */
export const FAULT_DIRECTIONS = ['to', 'from'] as const;
export type FaultDirection = (typeof FAULT_DIRECTIONS)[number];

/** One direction of one link, as the node that sends into it knows it. */
export type FaultTarget =
  /** Datagrams of this node to another. */
  | { readonly kind: 'peer'; readonly node: string }
  | {
      readonly kind: 'pod';
      readonly namespace: string;
      readonly pod: string;
      readonly direction: FaultDirection;
    }
  /** A device of the node's root namespace: `eth0`, `flannel.1`, `veth1a2b3c4d`. */
  | { readonly kind: 'device'; readonly device: string; readonly direction: FaultDirection };

export type LinkFaultRequest =
  | {
      readonly action: 'set';
      readonly targets: readonly FaultTarget[];
      readonly change: ImpairmentChange;
      /** Starts the random numbers anew. */
      readonly seed?: number;
      /** For links that have no fault yet. */
      readonly freshSeed: number;
      /** After which what is named here is again as it was; without it, it stays. */
      readonly durationMs?: number;
    }
  | { readonly action: 'clear'; readonly targets: readonly FaultTarget[] | 'all' }
  | { readonly action: 'show' };

export interface FaultCounters {
  /** Sent on, with or without delay; repeated ones too. */
  readonly passed: number;
  /** Of those that passed or wait: those that were held for some time. */
  readonly delayed: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly corrupted: number;
  /** By reason: `link-loss`, `link-partition`, `link-queue-full`, ... */
  readonly dropped: Readonly<Record<string, number>>;
  /** Packets that wait now. */
  readonly waiting: number;
}

export interface LinkFault {
  readonly target: FaultTarget;
  /** Who sends: a node, a pod, or `worker-1:flannel.1`. */
  readonly from: string;
  readonly to: string;
  readonly impairment: Impairment;
  readonly seed: number;
  /** Until something of it ends by itself; absent when it stays. */
  readonly remainingMs?: number;
  readonly counters: FaultCounters;
}

/** Of `set` and `show` the faults there are, of `clear` those that there were. */
export interface LinkFaultReply {
  readonly faults: readonly LinkFault[];
}
