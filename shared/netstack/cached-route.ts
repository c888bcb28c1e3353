/** The route of what one socket sends, looked up again when the destination is another one or routes or addresses changed. */
import { isLinkLocal } from '../wire/ipv6-address.ts';
import { isIpv6 } from '../wire/ipv6-table.ts';
import type { Host } from './host.ts';
import { routeError, type SendError } from './ip-output.ts';
import type { NextHop } from './next-hop.ts';
import type { Fib } from './route.ts';

export class CachedRoute {
  /** Why nothing can be sent there; null where it can, and then there is a next hop. */
  error: SendError | null = null;
  nextHop: NextHop | null = null;
  /** The source address that goes with it; 0 where there is no usable route. */
  source = 0;
  /** Whether the destination is a broadcast address. */
  isBroadcast = false;
  private readonly host: Host;
  private readonly routes: Fib;
  private destination = 0;
  private generation = -1;

  constructor(host: Host) {
    this.host = host;
    this.routes = host.routes;
  }

  /** From now on the fields are of the way to `destination`. */
  follow(destination: number): void {
    const { generation } = this.routes;
    if (generation === this.generation && destination === this.destination) return;
    const route = this.host.route(destination);
    this.error = routeError(route);
    this.nextHop = this.error === null ? route!.nextHop : null;
    this.source = this.error === null ? this.host.sourceOf(route!, destination) : 0;
    this.isBroadcast = this.host.isBroadcast(destination);
    this.destination = destination;
    // A link-local address is behind the device on which it was heard last, which no generation counts.
    this.generation = isIpv6(destination) && isLinkLocal(destination) ? -1 : generation;
  }

  visitAddresses(visit: (address: number) => void): void {
    visit(this.destination);
  }
}
