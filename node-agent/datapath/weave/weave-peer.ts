/** Another node as weave's switch knows it. */
import type { Peer } from '../underlay.ts';
import type { SecureSession } from './secure-session.ts';

/** A short identifier has 12 bits. */
export const SHORT_IDS = 4096;

export type OverlayName = 'fastdp' | 'sleeve';

export class WeavePeer {
  /** A MAC address. */
  readonly name: number;
  readonly shortId: number;
  readonly underlay: Peer;
  /** InternalIP. */
  readonly address: number;
  /** Within this node. */
  index = 0;
  /** The next peer on the way to it; null while there is no way. */
  next: WeavePeer | null = null;
  /** How frames go to it; null while there is no connection to it that works. */
  way: OverlayName | null = null;
  /** Keys of the connection; null without encryption. */
  fastdp: SecureSession | null = null;
  sleeve: SecureSession | null = null;
  /** Of a pod's packet within the sleeve; Infinity until the path was tried. */
  sleeveMtuBytes = Number.POSITIVE_INFINITY;

  constructor(name: number, underlay: Peer, address: number) {
    this.name = name;
    this.shortId = name % SHORT_IDS;
    this.underlay = underlay;
    this.address = address;
  }
}
