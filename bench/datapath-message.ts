import type { LinkEndpoint } from '../node-agent/datapath/link.ts';

/** `bare`: connected dgram sockets; the others: pods of two nodes over a link of that kind. */
export type Carrier = 'bare' | 'dgram' | 'gso' | 'polled' | 'polled-single';
export type Quantity = 'rtt' | 'bulk';

/** How one end is reached; `node` is there when it is a node. */
export interface Introduction {
  readonly endpoint: LinkEndpoint;
  readonly node?: {
    readonly nodeName: string;
    readonly internalIp: string;
    readonly podCidr: string;
    readonly vtepMac: number;
    readonly underlayMac: number;
  };
}

export type EndMessage =
  | { readonly kind: 'introduction'; readonly introduction: Introduction }
  | { readonly kind: 'ready' }
  | EndResult;

export interface EndResult {
  readonly kind: 'result';
  readonly value: number;
  /** The 99th percentile, where `value` is a median. */
  readonly p99?: number;
}
