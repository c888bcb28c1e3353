/**
 * `cilium_vxlan`: a VXLAN device without an identifier of its own. Each frame goes to the node that the tunnel map has for the
 * pod, and where the overlay has its network identifier it carries the identity of who sends.
 */
import * as ethernet from '../../../shared/wire/ethernet.ts';
import * as ipv4 from '../../../shared/wire/ipv4.ts';
import type { Packet } from '../../../shared/wire/packet-memory.ts';
import { NO_FDB_ENTRY, TunnelDevice, type TunnelOptions } from '../tunnel-device.ts';
import type { Peer } from '../underlay.ts';
import { destinationOf } from './cilium-host-device.ts';
import type { IpCache } from './ip-cache.ts';
import type { TunnelMap } from './tunnel-map.ts';

export class CiliumVxlanDevice extends TunnelDevice {
  readonly kind = 'vxlan';
  /** Any: what comes in is for this device whatever identity it carries. */
  readonly vni = 0;
  private readonly map: TunnelMap;
  private readonly ipCache: IpCache;

  constructor(options: TunnelOptions, map: TunnelMap, ipCache: IpCache) {
    super(options);
    this.map = map;
    this.ipCache = ipCache;
  }

  /** The sender does not know this device's MAC, and the program at it does not ask. */
  override receiveFrom(peer: Peer, frame: Packet): void {
    ethernet.setDestination(this.memory.view, frame.offset, this.macAddress);
    super.receiveFrom(peer, frame);
  }

  protected override forward(frame: Packet): void {
    const { view } = this.memory;
    const known = this.map.lookup(destinationOf(view, frame));
    if (known === undefined) this.drop(frame, NO_FDB_ENTRY);
    else this.sendTo(known.peer, frame, this.ipCache.identityOf(sourceOf(view, frame)));
  }

  protected transmitGroup(frame: Packet): void {
    this.drop(frame, NO_FDB_ENTRY);
  }
}

export function sourceOf(view: DataView, frame: Packet): number {
  return ipv4.source(view, frame.offset + ethernet.HEADER_BYTES);
}
