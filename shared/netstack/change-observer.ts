/** What hears of changes of a host's tables while somebody listens: the groups of rtnetlink(7). */
import type { NetDevice } from './device.ts';
import type { InterfaceAddress } from './interface-address.ts';
import type { Neighbour } from './neighbour.ts';
import type { Route } from './route.ts';

export interface RouteObserver {
  /** Of a replacement the new route alone is told. */
  routeChanged(route: Route, removed: boolean): void;
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
