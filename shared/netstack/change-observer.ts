/** What hears of changes of a host's tables: the groups of rtnetlink(7), and daemons that keep routes. */
import type { NetDevice } from './device.ts';
import type { InterfaceAddress } from './interface-address.ts';
import type { Neighbour } from './neighbour.ts';
import type { Route } from './route.ts';

/** `removed-silently`: Linux does not tell of it. Of a replacement it tells the new route alone, of IPv4 nothing that a device took with it. */
export type RouteChange = 'added' | 'removed' | 'removed-silently';

export interface RouteObserver {
  routeChanged(route: Route, change: RouteChange): void;
  /** Of a device that is up again, without the routes that were lost when it went down. */
  linkUp?(device: NetDevice): void;
}

export interface NeighbourObserver {
  /** `entry` has its new state and address. Linux tells neither of INCOMPLETE nor of DELAY. */
  neighbourChanged(entry: Neighbour, removed: boolean): void;
}

export interface ChangeObserver extends RouteObserver, NeighbourObserver {
  /** Told before the route to its network comes or goes. */
  addressChanged(assigned: InterfaceAddress, removed: boolean): void;
  /** And after that. */
  networkChanged(assigned: InterfaceAddress, removed: boolean): void;
  /** Its state, its MTU, or what it is a port of. */
  linkChanged(device: NetDevice): void;
}
