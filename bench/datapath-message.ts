import type { LinkEndpoint } from '../node-agent/datapath/link.ts';

/**
 * `bare`: connected dgram sockets; the others: pods of two nodes over a link of that kind, `-single` with a datagram a segment.
 */
export type Carrier = 'bare' | 'dgram' | 'gso' | 'gso-single' | 'polled' | 'polled-single';
/** `duplex` is `rtt`, and `bulk duplex` is `bulk`, through the sockets that programs have; `local` is `rtt` between two pods of one node. */
export type Quantity = 'rtt' | 'duplex' | 'local' | 'bulk' | 'bulk duplex';

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
  | { readonly kind: 'busy'; readonly share: number }
  | EndResult;

export interface EndResult {
  readonly kind: 'result';
  readonly value: number;
  /** The 99th percentile, where `value` is a median. */
  readonly p99?: number;
  /** Of several settings in one run, in the order in which they were given. */
  readonly bySetting?: readonly Spread[];
}

export interface Spread {
  readonly p50: number;
  readonly p99: number;
}
