/**
 * The seam between the data path and the world: what carries datagrams to the other nodes. Implementations stand in
 * `node-agent/io` (sockets); tests and simulations have their own (memory, virtual time, faults).
 *
 * A datagram is a packet whose `offset` stands at its VXLAN header; outer Ethernet, IP and UDP belong to the link.
 */
import type { Packet } from '../../shared/wire/packet-memory.ts';

export interface LinkEndpoint {
  /** Text, as sockets take it: `127.0.1.10`. */
  readonly address: string;
  readonly port: number;
}

/** Handed out by `addPeer`; small integers, never reused. */
export type PeerId = number;

export interface UnderlayLink {
  /**
   * True: a datagram to this peer may hold a TCP super-segment (`segmentBytes` above 0, checksums to be made), and the link
   * sends it as one datagram a segment. Asked before each; a link that changes single datagrams takes none.
   */
  takesSuperSegments?(peer: PeerId): boolean;
  /** Where other nodes reach this one. */
  readonly local: LinkEndpoint;
  /** From now on datagrams from this endpoint are taken, and `send` knows it. */
  addPeer(endpoint: LinkEndpoint): PeerId;
  removePeer(peer: PeerId): void;
  /**
   * Sends what one turn gathered for a peer, in order. Takes ownership of the packets, not of the array. What cannot be
   * sent is dropped and counted; a link never makes the data path wait.
   */
  send(peer: PeerId, datagrams: readonly Packet[]): void;
  /** Datagrams from a known peer; the receiver owns the packets, not the array. Called within an engine turn. */
  onReceive: ((peer: PeerId, datagrams: readonly Packet[]) => void) | null;
  close(): void;
}
