/** What `ip monitor` shows: changes of a network namespace's devices, addresses, routes and neighbours, kept while somebody reads. */
import type { ChangeObserver, RouteChange } from '../../shared/netstack/change-observer.ts';
import type { NetDevice } from '../../shared/netstack/device.ts';
import type { Host } from '../../shared/netstack/host.ts';
import type { InterfaceAddress } from '../../shared/netstack/interface-address.ts';
import type { Neighbour } from '../../shared/netstack/neighbour.ts';
import type { Route } from '../../shared/netstack/route.ts';
import { familyOf, type IpFamily } from '../../shared/wire/ip-address.ts';
import { addressRow, formatAddressLines } from '../datapath/show/address.ts';
import { linkAddress, linkHeading, linkRows } from '../datapath/show/link.ts';
import type { ShownNamespace } from '../datapath/show/namespace.ts';
import { formatNeighbours, neighbourRow } from '../datapath/show/neighbour.ts';
import { broadcastRouteRows, formatRoutes, ownRouteRows, type RouteRow, routeRow } from '../datapath/show/route.ts';
import { EventLog } from './event-log.ts';

export type EventGroup = 'LINK' | 'ADDR' | 'ROUTE' | 'NEIGH';

export interface NetworkEvent {
  readonly group: EventGroup;
  readonly removed: boolean;
  readonly timeUs: number;
  /** Of links none. */
  readonly family: IpFamily | undefined;
  readonly device: string | undefined;
  readonly lines: readonly string[];
}

interface ToldLink {
  readonly device: string;
  readonly lines: readonly string[];
}

export class NetworkEvents implements ChangeObserver {
  readonly log: EventLog<NetworkEvent>;
  private readonly namespace: () => ShownNamespace;
  private readonly host: Host;
  /** Devices as they were last told of, by their indexes. */
  private links = new Map<number, ToldLink>();

  constructor(namespace: () => ShownNamespace) {
    const { host } = namespace();
    this.namespace = namespace;
    this.host = host;
    this.log = new EventLog(
      () => host.engine.nowUs,
      (listens) => this.listen(listens),
    );
  }

  /** What comes to pass without anybody's call: neighbours that age, cables whose other end goes up or down. */
  look(): void {
    this.host.neighbours.list();
    this.lookAtLinks();
  }

  routeChanged(route: Route, change: RouteChange): void {
    if (change === 'removed-silently') return;
    this.keepRoute(routeRow(route), familyOf(route.destination), change === 'removed');
  }

  neighbourChanged(entry: Neighbour, removed: boolean): void {
    this.keep('NEIGH', removed, familyOf(entry.address), entry.device.name, () => [
      formatNeighbours([neighbourRow(entry)]).replace('\n', ''),
    ]);
  }

  addressChanged(assigned: InterfaceAddress, removed: boolean): void {
    const { device, address } = assigned;
    this.keep('ADDR', removed, familyOf(address), device.name, () => {
      const row = { ifindex: device.index, ifname: device.name, addr_info: [addressRow(assigned)] };
      return formatAddressLines([row]).trimEnd().split('\\');
    });
    if (!removed) this.keepLocal(ownRouteRows(assigned), assigned, removed);
  }

  networkChanged(assigned: InterfaceAddress, removed: boolean): void {
    this.keepLocal(broadcastRouteRows(assigned), assigned, removed);
    if (removed) this.keepLocal(ownRouteRows(assigned), assigned, removed);
  }

  linkChanged(_device: NetDevice): void {
    this.lookAtLinks();
  }

  private listen(listens: boolean): void {
    const { host } = this;
    const observer = listens ? this : null;
    if (listens && host.changes === null) this.links = this.linksNow();
    host.changes = observer;
    host.neighbours.observer = observer;
    if (listens) host.routes.observers.add(this);
    else host.routes.observers.delete(this);
  }

  private linksNow(): Map<number, ToldLink> {
    const rows = linkRows(this.namespace());
    return new Map(
      rows.map((row) => [row.ifindex, { device: row.ifname, lines: [linkHeading(row, ''), linkAddress(row)] }]),
    );
  }

  private lookAtLinks(): void {
    const before = this.links;
    this.links = this.linksNow();
    for (const [index, link] of this.links) {
      if (before.get(index)?.lines.join() !== link.lines.join()) this.keepLink(link, false);
    }
    for (const [index, link] of before) if (!this.links.has(index)) this.keepLink(link, true);
  }

  private keepLink({ device, lines }: ToldLink, removed: boolean): void {
    this.keep('LINK', removed, undefined, device, () => lines);
  }

  private keepLocal(rows: readonly RouteRow[], { address }: InterfaceAddress, removed: boolean): void {
    for (const row of rows) this.keepRoute({ ...row, table: 'local' }, familyOf(address), removed);
  }

  private keepRoute(row: RouteRow, family: IpFamily, removed: boolean): void {
    this.keep('ROUTE', removed, family, row.dev, () => [formatRoutes([row]).replace('\n', '')]);
  }

  private keep(
    group: EventGroup,
    removed: boolean,
    family: IpFamily | undefined,
    device: string | undefined,
    lines: () => readonly string[],
  ): void {
    this.log.keep(() => ({ group, removed, timeUs: this.host.engine.nowUs, family, device, lines: lines() }));
  }
}
