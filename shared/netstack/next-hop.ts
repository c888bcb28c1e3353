import type { NetDevice } from './device.ts';

/**
 * How a packet goes on: the device and the neighbour behind it. Routes that lead the same way share one (as Linux' nexthop
 * objects do), so that ten thousand routes through ten gateways are ten to the processor's cache.
 */
export interface NextHop {
  /** null for blackhole, unreachable and prohibit. */
  readonly device: NetDevice | null;
  /** 0 when the destination is on the link. */
  readonly gateway: number;
  /** Of the route; 0 for the device's. */
  readonly mtuBytes: number;
}

/** Of what may leave through the device: the route's own MTU where it says less. */
export function nextHopMtu({ mtuBytes }: NextHop, device: NetDevice): number {
  return mtuBytes > 0 && mtuBytes < device.mtuBytes ? mtuBytes : device.mtuBytes;
}

interface Shared {
  readonly nextHop: NextHop;
  users: number;
}

/** The next hops of one host's routes. */
export class NextHopTable {
  /** Those of a device and gateway differ in their MTU: they are few. */
  private readonly byDevice = new Map<NetDevice | null, Map<number, Shared[]>>();

  get size(): number {
    let size = 0;
    for (const ofDevice of this.byDevice.values()) for (const shared of ofDevice.values()) size += shared.length;
    return size;
  }

  /** For one more route; `release` takes it back. */
  share({ device, gateway, mtuBytes }: NextHop): NextHop {
    let ofDevice = this.byDevice.get(device);
    if (ofDevice === undefined) {
      ofDevice = new Map();
      this.byDevice.set(device, ofDevice);
    }
    const others = ofDevice.get(gateway);
    const known = others?.find(({ nextHop }) => nextHop.mtuBytes === mtuBytes);
    if (known !== undefined) {
      known.users++;
      return known.nextHop;
    }
    const nextHop: NextHop = { device, gateway, mtuBytes };
    if (others === undefined) ofDevice.set(gateway, [{ nextHop, users: 1 }]);
    else others.push({ nextHop, users: 1 });
    return nextHop;
  }

  release(nextHop: NextHop): void {
    const ofDevice = this.byDevice.get(nextHop.device);
    const others = ofDevice?.get(nextHop.gateway);
    const index = others?.findIndex((shared) => shared.nextHop === nextHop) ?? -1;
    if (ofDevice === undefined || others === undefined || index < 0) throw new Error('a next hop that no route has');
    if (--others[index]!.users > 0) return;
    others.splice(index, 1);
    if (others.length === 0) ofDevice.delete(nextHop.gateway);
    if (ofDevice.size === 0) this.byDevice.delete(nextHop.device);
  }
}
