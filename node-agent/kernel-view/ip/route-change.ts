/** `ip route add|append|replace|change|del|flush` (ip-route(8)), with the kernel's own answers. */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import type { Host } from '../../../shared/netstack/host.ts';
import { type Fib, type Route, RouteError, type RouteSpec, type RouteType } from '../../../shared/netstack/route.ts';
import { MAIN_TABLE } from '../../../shared/netstack/routing-policy.ts';
import { familyOf, type IpFamily, networkOf } from '../../../shared/wire/ip-address.ts';
import { isIpv6 } from '../../../shared/wire/ipv6-table.ts';
import type { ShownNamespace } from '../../datapath/show/namespace.ts';
import { argumentError, type IpError, kernelError, rtnetlinkError, usageError } from './ip-error.ts';
import { garbage, readPrefix, Words } from './words.ts';

export const ROUTE_CHANGES = ['add', 'append', 'replace', 'change', 'delete'] as const;
export type RouteChange = (typeof ROUTE_CHANGES)[number];

const TYPES: ReadonlySet<string> = new Set(['unicast', 'blackhole', 'unreachable', 'prohibit'] satisfies RouteType[]);
const SCOPES = ['global', 'link', 'host'] as const;
const MAIN_TABLES = new Set(['main', String(MAIN_TABLE)]);

/** What was said of a route; what was not is absent. */
type SaidOfRoute = Pick<RouteSpec, 'destination' | 'prefixLength'> & Partial<Omit<Route, 'nextHop'>>;

export function changeRoute(
  namespace: ShownNamespace,
  change: RouteChange,
  words: readonly string[],
  family: IpFamily | undefined,
): void {
  const said = readRoute(namespace, words, family);
  const { routes } = namespace.host;
  if (change === 'delete') {
    if (!routes.remove(said)) throw rtnetlinkError('No such process');
    return;
  }
  const route = complete(namespace, said);
  const isThere = routes.list().some((present) => isSame(present, route));
  if (change === 'change' && !isThere) throw rtnetlinkError('No such file or directory');
  try {
    if (change === 'replace' || change === 'change') routes.replace(route);
    else if (change === 'add') routes.add(route);
    else routes.addBeside(route);
  } catch (error) {
    throw error instanceof RouteError ? kernelAnswer(error, route) : error;
  }
}

/** What netlink reports of a route that cannot be. */
function kernelAnswer({ code }: RouteError, { destination }: RouteSpec): IpError {
  if (code === 'EEXIST') return rtnetlinkError('File exists');
  if (code === 'ENODEV') return rtnetlinkError('No such device');
  if (code === 'ENOSPC') return rtnetlinkError('No buffer space available');
  return isIpv6(destination) ? rtnetlinkError('No route to host') : kernelError('Nexthop has invalid gateway.');
}

function isSame(present: Route, { destination, prefixLength, metric }: RouteSpec): boolean {
  const wanted = metric ?? (isIpv6(destination) ? present.metric : 0);
  return present.destination === destination && present.prefixLength === prefixLength && present.metric === wanted;
}

/** Finds the device of a gateway, and refuses what the kernel refuses before it looks at its tables. */
function complete({ host }: ShownNamespace, said: SaidOfRoute): RouteSpec {
  const { destination, prefixLength, type = 'unicast', gateway = 0, source = 0 } = said;
  if (type !== 'unicast') return { ...said, device: null };
  if (networkOf(destination, prefixLength) !== destination) {
    throw isIpv6(destination)
      ? rtnetlinkError('Invalid argument')
      : kernelError('Invalid prefix for given prefix length.');
  }
  if (source !== 0 && !host.isLocal(source)) {
    throw isIpv6(source) ? kernelError('Invalid source address') : kernelError('Invalid prefsrc address.');
  }
  const device = said.device ?? deviceTowards(said, host.routeThrough(gateway));
  if (device === null || device.up) return { ...said, device };
  if (isIpv6(destination)) throw kernelError('Nexthop device is not up.');
  throw kernelError(gateway === 0 ? 'Device for nexthop is not up.' : 'Nexthop has invalid gateway.');
}

function deviceTowards({ gateway = 0 }: SaidOfRoute, towards: Route | undefined): NetDevice | null {
  if (gateway === 0) return null;
  if (towards !== undefined) return towards.device;
  throw isIpv6(gateway) ? rtnetlinkError('No route to host') : kernelError('Nexthop has invalid gateway.');
}

function readRoute(namespace: ShownNamespace, given: readonly string[], family: IpFamily | undefined): SaidOfRoute {
  const words = new Words(given);
  const said: { -readonly [K in keyof SaidOfRoute]: SaidOfRoute[K] } = { destination: -1, prefixLength: 0 };
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (TYPES.has(word))
      said.type = word as RouteType; // of the set
    else if (!readOption(namespace, said, word, words, family)) {
      if (said.destination !== -1) throw garbage('to', word);
      const { address, prefixLength } = readPrefix(word === 'to' ? words.value() : word, family);
      Object.assign(said, { destination: address, prefixLength });
    }
  }
  if (said.destination === -1) throw argumentError('need at least a destination address');
  if (said.prefixLength === 0 && said.gateway !== undefined && isIpv6(said.gateway)) {
    said.destination = readPrefix('default', 'ipv6').address;
  }
  const said6 = said.gateway !== undefined && isIpv6(said.gateway) !== isIpv6(said.destination);
  if (said6) throw argumentError(`Error: inet${isIpv6(said.destination) ? '6' : ''} address is expected behind "via".`);
  return said;
}

/** False where the word is none of those that name an attribute. */
function readOption(
  namespace: ShownNamespace,
  said: { -readonly [K in keyof SaidOfRoute]: SaidOfRoute[K] },
  word: string,
  words: Words,
  family: IpFamily | undefined,
): boolean {
  switch (word) {
    case 'via':
      said.gateway = words.address(family);
      return true;
    case 'dev':
    case 'oif':
      said.device = words.device(namespace);
      return true;
    case 'src':
      said.source = words.address(family);
      return true;
    case 'metric':
    case 'preference':
    case 'priority':
      said.metric = words.number('metric');
      return true;
    case 'proto':
    case 'protocol':
      said.protocol = words.value();
      return true;
    case 'scope':
      said.scope = scopeNamed(words.value());
      return true;
    case 'mtu':
      said.mtuBytes = words.number('mtu');
      return true;
    case 'onlink':
      said.onLink = true;
      return true;
    case 'table':
      requireMain(words.value());
      return true;
    default:
      return false;
  }
}

function scopeNamed(text: string): Route['scope'] {
  const scope = SCOPES.find((name) => name === text || (name === 'global' && text === 'universe'));
  if (scope === undefined) throw argumentError(`Error: argument "${text}" is wrong: invalid "scope" value\n`);
  return scope;
}

/** The other tables are the CNI plugin's. */
function requireMain(table: string): void {
  if (!MAIN_TABLES.has(table))
    throw argumentError(`podwire: routes are changed in the table main here, not in "${table}"`);
}

/** `ip route flush`: of the routes that the filter leaves. */
export function flushRoutes({ host }: ShownNamespace, rows: readonly Route[]): void {
  for (const { destination, prefixLength, device, metric, gateway, type } of rows) {
    host.routes.remove({ destination, prefixLength, device, metric, gateway, type });
  }
}

/** What a listing or a flush of routes is told to look at (`dev eth0 proto kernel`, `10.0.0.0/8`, `match 10.1.2.3`). */
export interface RouteFilter {
  readonly family: IpFamily;
  /** `main` is one of them. */
  readonly table: Fib | 'local' | 'all';
  readonly device?: NetDevice;
  readonly protocol?: string;
  readonly gateway?: number;
  readonly type?: string;
  readonly scope?: string;
  readonly matches: (route: Route) => boolean;
}

export function readRouteFilter(
  namespace: ShownNamespace,
  given: readonly string[],
  family: IpFamily | undefined,
): RouteFilter {
  const words = new Words(given);
  const filter: { -readonly [K in keyof RouteFilter]: RouteFilter[K] } = {
    family: family ?? 'ipv4',
    table: namespace.host.routes,
    matches: () => true,
  };
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === 'dev' || word === 'oif') filter.device = words.device(namespace);
    else if (word === 'proto' || word === 'protocol') filter.protocol = words.value();
    else if (word === 'scope') filter.scope = words.value();
    else if (word === 'type') filter.type = words.value();
    else if (word === 'table') filter.table = tableNamed(namespace.host, words.value());
    else if (word === 'via') filter.gateway = words.address(family);
    else filter.matches = prefixTest(word, words, family, filter);
  }
  return filter;
}

function tableNamed({ routes, routingPolicy }: Host, text: string): RouteFilter['table'] {
  if (MAIN_TABLES.has(text)) return routes;
  if (text === 'local' || text === '255') return 'local';
  if (text === 'all' || text === '0') return 'all';
  if (!/^\d+$/.test(text)) throw usageError(`Error: argument "${text}" is wrong: table id value is invalid\n`);
  const table = routingPolicy?.table(Number(text));
  if (table === undefined) throw kernelError('ipv4: FIB table does not exist.\nDump terminated');
  return table;
}

/** `[to] [root|match|exact] PREFIX`: the prefix itself where none of them is said. */
function prefixTest(
  first: string,
  words: Words,
  family: IpFamily | undefined,
  filter: { family: IpFamily },
): (route: Route) => boolean {
  const word = first === 'to' ? words.value() : first;
  const how = word === 'root' || word === 'match' || word === 'exact' ? word : 'exact';
  const text = word === how ? words.value() : word;
  const { address, prefixLength } = readPrefix(text, family);
  if (text !== 'default') filter.family = familyOf(address);
  return (route) => {
    const [wide, narrow] = how === 'match' ? [route.prefixLength, prefixLength] : [prefixLength, route.prefixLength];
    if (how === 'exact' ? wide !== narrow : wide > narrow) return false;
    if (familyOf(route.destination) !== familyOf(address)) return false;
    return networkOf(route.destination, wide) === networkOf(address, wide);
  };
}
