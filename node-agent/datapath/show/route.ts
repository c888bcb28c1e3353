/** `ip route show` and `ip route get`. */
import type { Host } from '../../../shared/netstack/host.ts';
import type { Route } from '../../../shared/netstack/route.ts';
import { formatIpv4 } from '../../../shared/wire/address.ts';
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
  readonly flags: readonly string[];
}

export function routeRows(host: Host): RouteRow[] {
  return host.routes.list().map(routeRow);
}

function routeRow(route: Route): RouteRow {
  return {
    type: route.type === 'unicast' ? undefined : route.type,
    dst: prefixText(route.destination, route.prefixLength),
    gateway: route.gateway === 0 ? undefined : formatIpv4(route.gateway),
    dev: route.device?.name,
    protocol: route.protocol === 'boot' ? undefined : route.protocol,
    scope: route.scope === 'global' ? undefined : route.scope,
    prefsrc: route.source === 0 ? undefined : formatIpv4(route.source),
    metric: route.metric === 0 ? undefined : route.metric,
    flags: [...(route.onLink ? ['onlink'] : []), ...(route.device?.up === false ? ['linkdown'] : [])],
  };
}

function prefixText(destination: number, prefixLength: number): string {
  if (prefixLength === 0) return 'default';
  return prefixLength === 32 ? formatIpv4(destination) : `${formatIpv4(destination)}/${prefixLength}`;
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
  parts.push(...row.flags);
  return `${parts.filter((part) => part !== undefined).join(' ')} `;
}

/** `ip route get ADDRESS`; undefined when the network is unreachable. */
export function formatRouteGet(host: Host, destination: number): string | undefined {
  const route = host.route(destination);
  if (route === undefined || route.device === null) return undefined;
  const local = route.type === 'local' ? 'local ' : '';
  const via = route.gateway === 0 ? '' : `via ${formatIpv4(route.gateway)} `;
  const source = formatIpv4(host.sourceOf(route, destination));
  return `${local}${formatIpv4(destination)} ${via}dev ${route.device.name} src ${source} uid 0 \n    cache ${local === '' ? '' : '<local> '}\n`;
}
