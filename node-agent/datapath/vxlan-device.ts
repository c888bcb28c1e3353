/**
 * `flannel.1`, `vxlan.calico`: the overlay. As flannel programs a kernel's device since 0.9, one route, one permanent neighbour and one FDB
 * entry a node lead to it, and nothing is learned or flooded (`nolearning`):
 *
 *   route     10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink
 *   neighbour 10.244.2.0 lladdr <VTEP MAC of the node>
 *   FDB       <VTEP MAC of the node> dst <InternalIP of the node>
 */
import type { Packet } from '../../shared/wire/packet-memory.ts';
import { NO_FDB_ENTRY, TunnelDevice, type TunnelOptions } from './tunnel-device.ts';

export interface VxlanOptions extends TunnelOptions {
  readonly vni: number;
  /** As `ip -d link` shows it; the datagrams themselves leave from the port that all networks share. */
  readonly port: number;
}

export class VxlanDevice extends TunnelDevice {
  readonly kind = 'vxlan';
  readonly vni: number;
  readonly port: number;

  constructor(options: VxlanOptions) {
    super(options);
    this.vni = options.vni;
    this.port = options.port;
  }

  protected transmitGroup(frame: Packet): void {
    this.drop(frame, NO_FDB_ENTRY);
  }
}
