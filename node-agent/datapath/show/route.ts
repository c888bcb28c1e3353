/** `ip route show` and `ip route get`. */
import type { Host } from '../../../shared/netstack/host.ts';
import type { Fib, Route } from '../../../shared/netstack/route.ts';
import { addressBits, familyOf, formatAddress, type IpFamily } from '../../../shared/wire/ip-address.ts';
import { isIpv6 } from '../../../shared/wire/ipv6-table.ts';
import { asText } from './link.ts';

export interface RouteRow {
  readonly type?: string;
  /** `default` or `10.244.1.0/24`. */
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly protocol?: string;
  readonly scope?: string;
  readonly prefsrc?: string;
  readonly metric?: number;
  readonly metrics?: readonly [{ readonly mtu: number }];
  /** Of IPv6 alone (RFC 4191). */
  readonly pref?: string;
  readonly flags: readonly string[];
}

/** Of the table `main`, or of another one. */
export function routeRows(host: Host, family: IpFamily, table: Fib = host.routes): RouteRow[] {
  return table
    .list()
    .filter(({ destination }) => familyOf(destination) === family)
    .map(routeRow);
}

function routeRow(route: Route): RouteRow {
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
    flags: [...(route.onLink ? ['onlink'] : []), ...(route.device?.up === false ? ['linkdown'] : [])],
  };
}

function prefixText(destination: number, prefixLength: number): string {
  if (prefixLength === 0) return 'default';
  return prefixLength === addressBits(destination)
    ? formatAddress(destination)
    : `${formatAddress(destination)}/${prefixLength}`;
}

export function formatRoutes(rows: readonly RouteRow[]): string {
  return asText(rows.map(formatRoute));
}

function formatRoute(row: RouteRow): string {
  const parts = [row.type, row.dst];
  const add = (name: string, value: string | number | undefined) => {
    if (value !== undefined) parts.push(`${name} ${value}`);
  };
  add('via', row.gateway);
  add('dev', row.dev);
  add('proto', row.protocol);
  add('scope', row.scope);
  add('src', row.prefsrc);
  add('metric', row.metric);
  add('mtu', row.metrics?.[0].mtu);
  parts.push(...row.flags);
  add('pref', row.pref);
  return `${parts.filter((part) => part !== undefined).join(' ')} `;
}

/** `ip route get ADDRESS`; undefined when the network is unreachable. */
export function formatRouteGet(host: Host, destination: number): string | undefined {
  const route = host.route(destination);
  if (route === undefined || route.device === null) return undefined;
  const local = route.type === 'local' ? 'local ' : '';
  const via = route.gateway === 0 ? '' : `via ${formatAddress(route.gateway)} `;
  const source = formatAddress(host.sourceOf(route, destination));
  return `${local}${formatAddress(destination)} ${via}dev ${route.device.name} src ${source} uid 0 \n    cache ${local === '' ? '' : '<local> '}\n`;
}

/** Where a packet to `destination` goes: `via 10.244.2.0 dev flannel.1`. */
export function describeRoute(host: Host, destination: number): string {
  const route = host.route(destination);
  if (route === undefined) return 'nowhere';
  const via = route.gateway === 0 ? '' : `via ${formatAddress(route.gateway)} `;
  return `${via}dev ${route.device?.name ?? route.type}`;
}
