/** `ip route`: listings, the way to one address, and changes. */
import type { Route } from '../../../shared/netstack/route.ts';
import { familyOf, parseAddress } from '../../../shared/wire/ip-address.ts';
import type { ShownNamespace } from '../../datapath/show/namespace.ts';
import {
  chooseRoute,
  chosenRouteJson,
  detailedRow,
  formatChosenRoute,
  formatRoutes,
  localRouteRows,
  type RouteRow,
  routeRow,
} from '../../datapath/show/route.ts';
import { type CommandOutput, printed } from '../command-output.ts';
import { argumentError, rtnetlinkError } from './ip-error.ts';
import type { IpOptions } from './ip-options.ts';
import { change, json } from './ip-output.ts';
import { changeRoute, flushRoutes, ROUTE_CHANGES, type RouteFilter, readRouteFilter } from './route-change.ts';
import { isListing, unknownVerb, verbOf } from './verbs.ts';
import { noPrefix, Words } from './words.ts';

export function routeObject(namespace: ShownNamespace, words: readonly string[], options: IpOptions): CommandOutput {
  const [verb, ...rest] = words;
  if (verb === 'get') return getRoute(namespace, rest, options);
  const changes = verbOf(ROUTE_CHANGES, verb);
  if (changes !== undefined) return change(namespace, () => changeRoute(namespace, changes, rest, options.family));
  if (verb !== 'flush' && !isListing(verb)) throw unknownVerb('route', verb ?? '');
  const filter = readRouteFilter(namespace, rest, options.family);
  if (verb !== 'flush') return listRoutes(namespace, filter, options);
  if (rest.length === 0) throw argumentError('"ip route flush" requires arguments.');
  return change(namespace, () => flushRoutes(namespace, filteredRoutes(namespace, filter)));
}

function listRoutes(namespace: ShownNamespace, filter: RouteFilter, options: IpOptions): CommandOutput {
  const { table, family } = filter;
  // Of all tables both families are shown, unless one was asked for.
  const families = table === 'all' && options.family === undefined ? (['ipv4', 'ipv6'] as const) : [family];
  const rows = families.flatMap((each) => routeRowsOf(namespace, { ...filter, family: each }));
  const shown = rows.map((row) => withoutWhatWasAsked(options.details ? detailedRow(row) : row, filter));
  return options.json ? json(shown, options) : printed(formatRoutes(shown));
}

function routeRowsOf(namespace: ShownNamespace, filter: RouteFilter): RouteRow[] {
  const { table, family, device, type } = filter;
  const main = table === 'local' ? [] : filteredRoutes(namespace, filter).map(routeRow);
  if (typeof table !== 'string') return main;
  const local = localRouteRows(namespace.host, family).filter(
    (row) => (device === undefined || row.dev === device.name) && (type === undefined || row.type === type),
  );
  return [...main, ...(table === 'all' ? local.map((row) => ({ ...row, table: 'local' })) : local)];
}

/** As iproute2 leaves out what all rows have in common by the filter. */
function withoutWhatWasAsked(row: RouteRow, { device, protocol, gateway, scope }: RouteFilter): RouteRow {
  return {
    ...row,
    ...(device === undefined ? {} : { dev: undefined }),
    ...(protocol === undefined ? {} : { protocol: undefined }),
    ...(gateway === undefined ? {} : { gateway: undefined }),
    ...(scope === undefined ? {} : { scope: undefined }),
  };
}

function filteredRoutes({ host }: ShownNamespace, filter: RouteFilter): Route[] {
  const { family, device, protocol, gateway, type, scope, table } = filter;
  return (typeof table === 'string' ? host.routes : table)
    .list()
    .filter(
      (route) =>
        familyOf(route.destination) === family &&
        (device === undefined || route.device === device) &&
        (protocol === undefined || route.protocol === protocol) &&
        (gateway === undefined || route.gateway === gateway) &&
        (type === undefined || route.type === type) &&
        (scope === undefined || route.scope === scope) &&
        filter.matches(route),
    );
}

/** What no packet can take, as a socket would hear of it. */
const REFUSALS: Readonly<Partial<Record<Route['type'], string>>> = {
  blackhole: 'Invalid argument',
  unreachable: 'No route to host',
  prohibit: 'Permission denied',
};

/** `ip route get ADDRESS [from ADDRESS] [oif DEVICE]` */
function getRoute(namespace: ShownNamespace, given: readonly string[], options: IpOptions): CommandOutput {
  const words = new Words(given);
  let destination: number | undefined;
  let from: string | undefined;
  let inDevice: string | undefined;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === 'from') from = words.value();
    else if (word === 'iif') inDevice = words.device(namespace).name;
    else if (word === 'oif' || word === 'dev') words.device(namespace);
    else if (word !== 'to' && word !== 'fibmatch') {
      destination = parseAddress(word.replace(/\/(32|128)$/, ''));
      if (destination === undefined) throw noPrefix(word);
    }
  }
  if (destination === undefined) throw argumentError('need at least a destination address');
  const chosen = chooseRoute(namespace.host, destination);
  if (chosen === undefined) throw rtnetlinkError('Network is unreachable');
  const refusal = REFUSALS[chosen.route.type];
  if (refusal !== undefined) throw rtnetlinkError(refusal);
  const asked = { from, inDevice };
  return options.json ? json([chosenRouteJson(chosen, asked)], options) : printed(formatChosenRoute(chosen, asked));
}
