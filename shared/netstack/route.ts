/**
 * The forwarding information base of one host: longest prefix match over one hash table a prefix length.
 * A lookup costs one probe for each prefix length in use (three or four on a node), however many routes there are.
 * The version of a route is that of its destination.
 */
import { prefixMask } from '../wire/address.ts';
import { compareAddresses, formatAddress, formatPrefix, networkOf } from '../wire/ip-address.ts';
import { findIpv6NetworkOf, isLinkLocal } from '../wire/ipv6-address.ts';
import { isIpv6, NO_ADDRESS } from '../wire/ipv6-table.ts';
import type { RouteChange, RouteObserver } from './change-observer.ts';
import type { NetDevice } from './device.ts';
import { type NextHop, NextHopTable } from './next-hop.ts';

export type RouteType = 'unicast' | 'local' | 'blackhole' | 'unreachable' | 'prohibit';

export interface Route {
  /** Network address, host bits clear. */
  readonly destination: number;
  readonly prefixLength: number;
  readonly type: RouteType;
  /** Next hop; 0 when the destination is on the link. */
  readonly gateway: number;
  /** null for blackhole, unreachable and prohibit. */
  readonly device: NetDevice | null;
  /** Preferred source address; 0 leaves the choice to the device's addresses. */
  readonly source: number;
  /** Lower is preferred among routes to one prefix. */
  readonly metric: number;
  /** Who made it, as `ip route` prints it: `kernel`, `boot`, `static`, `bird`. */
  readonly protocol: string;
  readonly scope: 'global' | 'link' | 'host';
  /** The gateway is taken as a neighbour even if no connected route covers it. */
  readonly onLink: boolean;
  /** 0 for the device's. */
  readonly mtuBytes: number;
  /** Device, gateway and MTU once more: what packets are sent by. */
  readonly nextHop: NextHop;
}

/** What `ip route add` is told; the rest has defaults. */
export type RouteSpec = Pick<Route, 'destination' | 'prefixLength'> & Partial<Omit<Route, 'nextHop'>>;

type CompleteSpec = Omit<Route, 'nextHop'>;

/** Which route to take away: the first that has all the fields named. */
export type RouteMatch = Pick<Route, 'destination' | 'prefixLength'> &
  Partial<Pick<Route, 'type' | 'gateway' | 'device' | 'metric' | 'protocol'>>;

/** Linux' IP6_RT_PRIO_USER. */
const DEFAULT_IPV6_METRIC = 1024;

/** Routes one host may hold. */
export const MAX_ROUTES = 131_072;

export class RouteError extends Error {
  /** `EEXIST`, `ENETUNREACH` (the gateway is no neighbour), `ENODEV`, `ENOSPC`. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'RouteError';
    this.code = code;
  }
}

/** The routes of one version. */
interface RouteTables {
  readonly byLength: (Map<number, Route[]> | undefined)[];
  /** Prefix lengths in use, longest first. */
  lengths: number[];
}

export class Fib {
  /** Changes with every change of a route or device, so that sockets know when a cached route is stale. */
  generation = 0;
  readonly observers = new Set<RouteObserver>();
  private readonly tables: RouteTables = { byLength: new Array(33).fill(undefined), lengths: [] };
  private readonly tablesIpv6: RouteTables = { byLength: new Array(129).fill(undefined), lengths: [] };
  /** Of the IPv4 lengths in use (signed, as the keys are). */
  private masks: number[] = [];
  private readonly nextHops = new NextHopTable();
  private routes = 0;

  get size(): number {
    return this.routes;
  }

  /** Adds a route; throws RouteError when one with its prefix and metric is there, or its gateway is no neighbour. */
  add(spec: RouteSpec): Route {
    const route = complete(spec);
    this.checkNextHop(route);
    const others = this.tablesOf(route.destination).byLength[route.prefixLength]?.get(route.destination | 0);
    if (others?.some((other) => other.metric === route.metric && !isOfAnotherLink(other, route))) {
      throw new RouteError('EEXIST', `route to ${prefixText(route)} metric ${route.metric} is there already`);
    }
    return this.insert(route);
  }

  /** Adds a route behind those with its prefix and metric, of which the first is taken (`ip route append`). */
  addBeside(spec: RouteSpec): Route {
    const route = complete(spec);
    this.checkNextHop(route);
    return this.insert(route);
  }

  private insert(route: CompleteSpec): Route {
    if (this.routes >= MAX_ROUTES) throw new RouteError('ENOSPC', `the table is full: ${MAX_ROUTES} routes`);
    const added: Route = { ...route, nextHop: this.nextHops.share(route) };
    const table = this.table(route);
    const key = route.destination | 0;
    const others = table.get(key);
    if (others === undefined) table.set(key, [added]);
    else {
      others.push(added);
      others.sort((a, b) => a.metric - b.metric);
    }
    this.routes++;
    this.generation++;
    this.tell(added, 'added');
    return added;
  }

  /** Adds a route in the place of one with the same prefix and metric, if there is one. */
  replace(spec: RouteSpec): Route {
    const route = complete(spec);
    this.checkNextHop(route);
    const { destination, prefixLength, metric, device } = route;
    this.take({ destination, prefixLength, metric, ...(isOfOneLink(route) ? { device } : {}) }, 'removed-silently');
    return this.add(route);
  }

  /** False where it is refused: for routes of daemons, whose gateways an administrator may have made unreachable. */
  tryReplace(spec: RouteSpec): boolean {
    try {
      this.replace(spec);
      return true;
    } catch (error) {
      if (error instanceof RouteError) return false;
      throw error;
    }
  }

  has(match: RouteMatch): boolean {
    const table = this.tablesOf(match.destination).byLength[match.prefixLength];
    const key = networkOf(match.destination, match.prefixLength) | 0;
    return table?.get(key)?.some((route) => matches(route, match)) ?? false;
  }

  /** False when no route matched. */
  remove(match: RouteMatch): boolean {
    return this.take(match, 'removed');
  }

  private take(match: RouteMatch, change: RouteChange): boolean {
    const table = this.tablesOf(match.destination).byLength[match.prefixLength];
    const key = networkOf(match.destination, match.prefixLength) | 0;
    const candidates = table?.get(key);
    if (table === undefined || candidates === undefined) return false;
    const index = candidates.findIndex((route) => matches(route, match));
    if (index < 0) return false;
    const removed = candidates.splice(index, 1)[0]!;
    this.nextHops.release(removed.nextHop);
    if (candidates.length === 0) table.delete(key);
    if (table.size === 0) this.dropTable(match);
    this.routes--;
    this.generation++;
    this.tell(removed, change);
    return true;
  }

  private tell(route: Route, change: RouteChange): void {
    for (const observer of this.observers) observer.routeChanged(route, change);
  }

  /** Takes away every route through a device, as its deletion does. */
  removeDevice(device: NetDevice): void {
    for (const route of this.list()) {
      if (route.device !== device) continue;
      this.take(route, isIpv6(route.destination) ? 'removed' : 'removed-silently');
    }
    this.generation++;
  }

  /** The route of the longest prefix whose device is up; undefined when there is none. */
  lookup(destination: number): Route | undefined {
    if (isIpv6(destination)) return this.lookupIpv6(destination);
    const { masks } = this;
    const { byLength, lengths } = this.tables;
    const key = destination | 0;
    for (let i = 0; i < lengths.length; i++) {
      const route = firstUp(byLength[lengths[i]!]!.get(key & masks[i]!));
      if (route !== undefined) return route;
    }
    return undefined;
  }

  private lookupIpv6(destination: number): Route | undefined {
    if (destination === NO_ADDRESS) return undefined;
    const { byLength, lengths } = this.tablesIpv6;
    for (const length of lengths) {
      const route = firstUp(byLength[length]!.get(findIpv6NetworkOf(destination, length) | 0));
      if (route !== undefined) return route;
    }
    return undefined;
  }

  /** The IPv6 route of the longest prefix among those through one device. */
  lookupThrough(device: NetDevice, destination: number): Route | undefined {
    const { byLength, lengths } = this.tablesIpv6;
    for (const length of lengths) {
      const candidates = byLength[length]!.get(findIpv6NetworkOf(destination, length) | 0);
      const route = candidates?.find((candidate) => candidate.device === device);
      if (route !== undefined) return route;
    }
    return undefined;
  }

  visitAddresses(visit: (address: number) => void): void {
    for (const { destination, gateway, source } of this.list()) {
      visit(destination);
      visit(gateway);
      visit(source);
    }
  }

  /** All routes in the order of `ip route`: by network, the longer prefix first, then by metric. */
  list(): Route[] {
    const all: Route[] = [];
    for (const table of [...this.tables.byLength, ...this.tablesIpv6.byLength]) {
      if (table !== undefined) for (const candidates of table.values()) all.push(...candidates);
    }
    return all.sort(
      (a, b) =>
        compareAddresses(a.destination, b.destination) || b.prefixLength - a.prefixLength || a.metric - b.metric,
    );
  }

  private checkNextHop(route: CompleteSpec): void {
    const needsDevice = route.type === 'unicast' || route.type === 'local';
    if (needsDevice && route.device === null) {
      throw new RouteError('ENODEV', `route to ${prefixText(route)} names no device and no gateway that has one`);
    }
    if (route.gateway === 0 || route.onLink) return;
    if (isIpv6(route.gateway) && isLinkLocal(route.gateway) && route.device !== null) return;
    const towards = this.lookup(route.gateway);
    if (towards === undefined || towards.gateway !== 0 || towards.device !== route.device) {
      throw new RouteError(
        'ENETUNREACH',
        `gateway ${formatAddress(route.gateway)} is not on the link of ${route.device?.name}: add the device's address first, or say onLink`,
      );
    }
  }

  private tablesOf(destination: number): RouteTables {
    return isIpv6(destination) ? this.tablesIpv6 : this.tables;
  }

  private table({ destination, prefixLength }: CompleteSpec): Map<number, Route[]> {
    const tables = this.tablesOf(destination);
    let table = tables.byLength[prefixLength];
    if (table === undefined) {
      table = new Map();
      tables.byLength[prefixLength] = table;
      tables.lengths = [...tables.lengths, prefixLength].sort((a, b) => b - a);
      this.masks = this.tables.lengths.map((length) => prefixMask(length) | 0);
    }
    return table;
  }

  private dropTable({ destination, prefixLength }: RouteMatch): void {
    const tables = this.tablesOf(destination);
    tables.byLength[prefixLength] = undefined;
    tables.lengths = tables.lengths.filter((length) => length !== prefixLength);
    this.masks = this.tables.lengths.map((length) => prefixMask(length) | 0);
  }
}

function firstUp(candidates: readonly Route[] | undefined): Route | undefined {
  if (candidates === undefined) return undefined;
  for (let i = 0; i < candidates.length; i++) {
    const route = candidates[i]!;
    if (route.device === null || route.device.up) return route;
  }
  return undefined;
}

/** Every link has a route to fe80::/64 of its own, with the same metric. */
function isOfOneLink(route: CompleteSpec): boolean {
  return isIpv6(route.destination) && isLinkLocal(route.destination);
}

function isOfAnotherLink(one: CompleteSpec, other: CompleteSpec): boolean {
  return isOfOneLink(other) && one.device !== other.device;
}

function complete(spec: RouteSpec): CompleteSpec {
  const gateway = spec.gateway ?? 0;
  return {
    destination: networkOf(spec.destination, spec.prefixLength),
    prefixLength: spec.prefixLength,
    type: spec.type ?? 'unicast',
    gateway,
    device: spec.device ?? null,
    source: spec.source ?? 0,
    metric: spec.metric ?? (isIpv6(spec.destination) ? DEFAULT_IPV6_METRIC : 0),
    protocol: spec.protocol ?? 'boot',
    scope: spec.scope ?? (gateway === 0 && spec.device != null ? 'link' : 'global'),
    onLink: spec.onLink ?? false,
    mtuBytes: spec.mtuBytes ?? 0,
  };
}

function matches(route: Route, match: RouteMatch): boolean {
  return (
    (match.type === undefined || route.type === match.type) &&
    (match.gateway === undefined || route.gateway === match.gateway) &&
    (match.device === undefined || route.device === match.device) &&
    (match.metric === undefined || route.metric === match.metric) &&
    (match.protocol === undefined || route.protocol === match.protocol)
  );
}

function prefixText(route: CompleteSpec): string {
  return route.prefixLength === 0 ? 'default' : formatPrefix({ ...route, address: route.destination });
}
