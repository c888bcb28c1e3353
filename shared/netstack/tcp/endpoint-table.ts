import type { IcmpErrorReport } from '../icmp-error.ts';
import type { Segment } from './segment.ts';
import type { TcpState } from './state.ts';

/** What segments of one pair of endpoints go to: a connection, or what is left of it in TIME-WAIT. */
export interface TcpEndpoint {
  readonly localAddress: number;
  readonly localPort: number;
  readonly remoteAddress: number;
  readonly remotePort: number;
  readonly state: TcpState;
  /** The next one in the same bucket; only the table touches it. */
  nextInBucket: TcpEndpoint | null;
  input(segment: Segment): void;
  /** Whether the byte of this number was sent and is not acknowledged. */
  hasInFlight(sequence: number): boolean;
  /** An error about a segment in flight. */
  icmpError(report: IcmpErrorReport): void;
}

/** Endpoints by their four numbers: a map from a hash that is a small integer to a short list. */
export class EndpointTable {
  size = 0;
  private readonly buckets = new Map<number, TcpEndpoint>();

  find(local: number, localPort: number, remote: number, remotePort: number): TcpEndpoint | null {
    let entry = this.buckets.get(hash(local, localPort, remote, remotePort)) ?? null;
    while (entry !== null && !isBetween(entry, local, localPort, remote, remotePort)) entry = entry.nextInBucket;
    return entry;
  }

  /** The caller knows that there is none with the same four numbers. */
  add(endpoint: TcpEndpoint): void {
    const key = hashOf(endpoint);
    endpoint.nextInBucket = this.buckets.get(key) ?? null;
    this.buckets.set(key, endpoint);
    this.size++;
  }

  /** Nothing happens when it is not there. */
  remove(endpoint: TcpEndpoint): void {
    const key = hashOf(endpoint);
    let previous: TcpEndpoint | null = null;
    let entry = this.buckets.get(key) ?? null;
    while (entry !== null && entry !== endpoint) {
      previous = entry;
      entry = entry.nextInBucket;
    }
    if (entry === null) return;
    if (previous !== null) previous.nextInBucket = entry.nextInBucket;
    else if (entry.nextInBucket !== null) this.buckets.set(key, entry.nextInBucket);
    else this.buckets.delete(key);
    entry.nextInBucket = null;
    this.size--;
  }

  list(): TcpEndpoint[] {
    const all: TcpEndpoint[] = [];
    for (const first of this.buckets.values()) {
      for (let entry: TcpEndpoint | null = first; entry !== null; entry = entry.nextInBucket) all.push(entry);
    }
    return all;
  }
}

function isBetween(
  endpoint: TcpEndpoint,
  local: number,
  localPort: number,
  remote: number,
  remotePort: number,
): boolean {
  return (
    endpoint.remotePort === remotePort &&
    endpoint.localPort === localPort &&
    endpoint.remoteAddress === remote &&
    endpoint.localAddress === local
  );
}

function hashOf(endpoint: TcpEndpoint): number {
  return hash(endpoint.localAddress, endpoint.localPort, endpoint.remoteAddress, endpoint.remotePort);
}

/** Multiplicative hashing; the ports differ most, so they are spread furthest. */
function hash(local: number, localPort: number, remote: number, remotePort: number): number {
  const mixed =
    Math.imul((localPort << 16) | remotePort, 0x9e37_79b1) ^
    Math.imul(remote | 0, 0x85eb_ca6b) ^
    Math.imul(local | 0, 0xc2b2_ae35);
  return mixed ^ (mixed >>> 15);
}
