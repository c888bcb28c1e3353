/** Linux' local table as one route: a host's packets to its own addresses. */
import type { NetDevice } from './device.ts';
import type { Route } from './route.ts';

export function localRouteThrough(device: NetDevice): Route {
  return {
    destination: 0,
    prefixLength: 0,
    type: 'local',
    gateway: 0,
    device,
    source: 0,
    metric: 0,
    protocol: 'kernel',
    scope: 'host',
    onLink: false,
    mtuBytes: 0,
    nextHop: { device, gateway: 0, mtuBytes: 0 },
  };
}
