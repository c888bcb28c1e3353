/** `ip route show` and `ip route get`. */
import type { Host } from '../../../shared/netstack/host.ts';
import type { InterfaceAddress } from '../../../shared/netstack/interface-address.ts';
import type { Fib, Route } from '../../../shared/netstack/route.ts';
import { broadcastOf } from '../../../shared/wire/address.ts';
import {
  addressBits,
  compareAddresses,
  familyOf,
  formatAddress,
  type IpFamily,
  networkOf,
} from '../../../shared/wire/ip-address.ts';
import { isIpv6 } from '../../../shared/wire/ipv6-table.ts';
import { hasCarrier } from './carrier.ts';
import { asText } from './link.ts';

export interface RouteRow {
  readonly type?: string;
  /** `default` or `10.244.1.0/24`. */
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  /** Where it is another one than was asked for. */
  readonly table?: string;
  readonly protocol?: string;
  readonly scope?: string;
  readonly prefsrc?: string;
  readonly metric?: number;
  readonly metrics?: readonly [{ readonly mtu: number }];
  /** Of IPv6 alone (RFC 4191). */
  readonly pref?: string;
  readonly flags: readonly string[];
}

export function routeRow(route: Route): RouteRow {
  return {
    type: route.type === 'unicast' ? undefined : route.type,
    dst: prefixText(route.destination, route.prefixLength),
    gateway: route.gateway === 0 ? undefined : formatAddress(route.gateway),
    dev: route.device?.name,
    protocol: route.protocol === 'boot' ? undefined : route.protocol,
    scope: route.scope === 'global' || isIpv6(route.destination) ? undefined : route.scope,
    prefsrc: route.source === 0 ? undefined : formatAddress(route.source),
    metric: route.metric === 0 ? undefined : route.metric,
    metrics: route.mtuBytes === 0 ? undefined : [{ mtu: route.mtuBytes }],
    pref: isIpv6(route.destination) ? 'medium' : undefined,
    flags: [
      ...(route.onLink ? ['onlink'] : []),
      ...(route.device !== null && !hasCarrier(route.device) ? ['linkdown'] : []),
    ],
  };
}

/** Of the table `main`, or of another one. */
export function routeRows(host: Host, family: IpFamily, table: Fib = host.routes): RouteRow[] {
  return table
    .list()
    .filter(({ destination }) => familyOf(destination) === family)
    .map(routeRow);
}

function prefixText(destination: number, prefixLength: number): string {
  if (prefixLength === 0) return 'default';
  return prefixLength === addressBits(destination)
    ? formatAddress(destination)
    : `${formatAddress(destination)}/${prefixLength}`;
}

/** `-d`: what goes without saying too. */
export function detailedRow(row: RouteRow): RouteRow {
  return { ...row, type: row.type ?? 'unicast', protocol: row.protocol ?? 'boot', scope: row.scope ?? 'global' };
}

export function formatRoutes(rows: readonly RouteRow[]): string {
  return asText(rows.map(formatRoute));
}

function formatRoute(row: RouteRow): string {
  const parts: (string | undefined)[] = [row.type, row.dst];
  const add = (name: string, value: string | number | undefined) => {
    if (value !== undefined) parts.push(`${name} ${value}`);
  };
  add('via', row.gateway);
  add('dev', row.dev);
  add('table', row.table);
  add('proto', row.protocol);
  add('scope', row.scope);
  add('src', row.prefsrc);
  add('metric', row.metric);
  add('mtu', row.metrics?.[0].mtu);
  parts.push(...row.flags);
  add('pref', row.pref);
  const text = parts.filter((part) => part !== undefined).join(' ');
  // What is said of IPv6 alone has no space behind it.
  return row.pref === undefined ? `${text} ` : text;
}

/** The table `local`: the host's own addresses, and the broadcasts of its networks (IPv4). */
export function localRouteRows(host: Host, family: IpFamily): RouteRow[] {
  return host
    .addresses()
    .filter(({ address }) => familyOf(address) === family)
    .sort((a, b) => compareAddresses(a.address, b.address))
    .flatMap((assigned) => [...ownRouteRows(assigned), ...broadcastRouteRows(assigned)]);
}

/** The routes to one of a host's addresses. */
export function ownRouteRows({ device, address, prefixLength, scope }: InterfaceAddress): RouteRow[] {
  const common = { type: 'local', dev: device.name, protocol: 'kernel', flags: [] };
  const dst = formatAddress(address);
  if (isIpv6(address)) return [{ ...common, dst, metric: 0, pref: 'medium' }];
  const own = { ...common, scope: 'host', prefsrc: dst };
  const row = { ...own, dst };
  return scope === 'host' ? [{ ...own, dst: prefixText(networkOf(address, prefixLength), prefixLength) }, row] : [row];
}

/** That of the last address of its network, where there is one. */
export function broadcastRouteRows({ device, address, prefixLength, secondary }: InterfaceAddress): RouteRow[] {
  if (isIpv6(address) || prefixLength >= 31 || secondary) return [];
  const dst = formatAddress(broadcastOf(address, prefixLength));
  const prefsrc = formatAddress(address);
  return [{ type: 'broadcast', dst, dev: device.name, protocol: 'kernel', scope: 'link', prefsrc, flags: [] }];
}

/** `ip route get` */
export interface ChosenRoute {
  readonly dst: string;
  readonly route: Route;
  readonly gateway: string | undefined;
  readonly source: string;
  readonly isBroadcast: boolean;
  /** What was learned of the path. */
  readonly pathMtu: { readonly mtuBytes: number; readonly expiresSeconds: number } | undefined;
}

/** The way of a packet of the host's to `destination`; undefined when the network is unreachable. */
export function chooseRoute(host: Host, destination: number): ChosenRoute | undefined {
  const route = host.route(destination);
  if (route === undefined) return undefined;
  return {
    dst: formatAddress(destination),
    route,
    gateway: route.gateway === 0 ? undefined : formatAddress(route.gateway),
    source: route.device === null ? '' : formatAddress(host.sourceOf(route, destination)),
    isBroadcast: host.isBroadcast(destination),
    pathMtu: pathMtuOf(host, destination),
  };
}

function pathMtuOf({ pathMtu, engine }: Host, destination: number): ChosenRoute['pathMtu'] {
  const learned = pathMtu.learnedOf(destination);
  if (learned === undefined) return undefined;
  return { mtuBytes: learned.mtuBytes, expiresSeconds: Math.floor((learned.expiresUs - engine.nowUs) / 1e6) };
}

/** The source, and the device of arrival, that were asked about. */
export interface AskedRoute {
  readonly from?: string;
  readonly inDevice?: string;
}

/** As `ip route get` prints it. */
export function formatChosenRoute(chosen: ChosenRoute, { from, inDevice }: AskedRoute = {}): string {
  const { dst, route, gateway, source, isBroadcast, pathMtu } = chosen;
  const isLocal = route.type === 'local';
  const type = isLocal ? 'local ' : isBroadcast ? 'broadcast ' : '';
  const via = gateway === undefined ? '' : `via ${gateway} `;
  const dev = `dev ${route.device?.name}`;
  if (dst.includes(':')) {
    const table = isLocal ? 'table local proto kernel ' : '';
    const protocol = isLocal || route.protocol === 'boot' ? '' : `proto ${route.protocol} `;
    return `${type}${dst} from ${from ?? '::'} ${via}${dev} ${table}${protocol}src ${source} metric ${isLocal ? 0 : route.metric} pref medium\n`;
  }
  const origin = from === undefined ? `${via}${dev} src ${source}` : `from ${from} ${via}${dev}`;
  const kind = isLocal ? '<local> ' : isBroadcast ? '<local,brd> ' : '';
  const learned = pathMtu === undefined ? '' : `expires ${pathMtu.expiresSeconds}sec mtu ${pathMtu.mtuBytes} `;
  const flags = `${kind}${learned}${inDevice === undefined ? '' : `iif ${inDevice} `}`;
  // What arrives has no user.
  const user = inDevice === undefined ? 'uid 0 ' : '';
  return `${type}${dst} ${origin} ${user}\n    cache ${flags}\n`;
}

/** `ip -j route get` */
export function chosenRouteJson(chosen: ChosenRoute, { from, inDevice }: AskedRoute = {}): Record<string, unknown> {
  const { dst, route, gateway, source, isBroadcast, pathMtu } = chosen;
  const isLocal = route.type === 'local';
  const isIpv6Route = dst.includes(':');
  return {
    type: isLocal ? 'local' : isBroadcast ? 'broadcast' : undefined,
    dst,
    from: from ?? (isIpv6Route ? '::' : undefined),
    gateway,
    dev: route.device?.name,
    prefsrc: from === undefined || isIpv6Route ? source : undefined,
    metric: isIpv6Route ? route.metric : undefined,
    flags: [],
    ...(pathMtu === undefined ? {} : { expires: pathMtu.expiresSeconds, metrics: [{ mtu: pathMtu.mtuBytes }] }),
    ...(isIpv6Route
      ? { pref: 'medium' }
      : {
          uid: inDevice === undefined ? 0 : undefined,
          cache: isLocal ? ['local'] : isBroadcast ? ['local', 'brd'] : [],
        }),
    iif: inDevice,
  };
}

/** Where a packet to `destination` goes: `via 10.244.2.0 dev flannel.1`. */
export function describeRoute(host: Host, destination: number): string {
  const route = host.route(destination);
  if (route === undefined) return 'nowhere';
  const via = route.gateway === 0 ? '' : `via ${formatAddress(route.gateway)} `;
  return `${via}dev ${route.device?.name ?? route.type}`;
}
