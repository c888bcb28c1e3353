/**
 * What the peers announced (Adj-RIB-In), and the best of it (RFC 4271 section 9.1): within one AS that is the highest
 * local preference, then the shortest AS path, the lowest origin, the lowest identifier of whoever told it
 * first, and the shortest way through reflectors (RFC 4456 section 9). Pure.
 */
import type { IpPrefix } from '../../../shared/wire/ip-address.ts';
import type { PathAttributes, UpdateMessage } from './message.ts';

/** Who announced it. */
export interface RouteSource {
  /** The peer's address. */
  readonly from: number;
  readonly peerIdentifier: number;
}

export interface BgpRoute extends RouteSource {
  readonly prefix: IpPrefix;
  readonly attributes: PathAttributes;
  /** When it was announced. */
  readonly sinceUs: number;
}

/** The best route to a prefix is another one now, or there is none any more. */
export interface RouteChange {
  readonly prefix: IpPrefix;
  readonly best: BgpRoute | undefined;
}

/** Of one peer. */
export const MAX_ROUTES_OF_PEER = 16_384;
const DEFAULT_LOCAL_PREFERENCE = 100;

export class BgpRoutes {
  /** By prefix, then by peer. */
  private readonly learned = new Map<string, Map<number, BgpRoute>>();
  private readonly ofPeer = new Map<number, number>();

  /** Takes in an UPDATE and says what it changed. */
  update(source: RouteSource, { withdrawn, reachable, attributes }: UpdateMessage, sinceUs: number): RouteChange[] {
    const { from } = source;
    const changes: RouteChange[] = withdrawn.flatMap((prefix) =>
      this.change(prefix, (routes) => this.take(routes, from)),
    );
    if (attributes === undefined) return changes;
    for (const prefix of reachable) {
      changes.push(...this.change(prefix, (routes) => this.put(routes, { ...source, prefix, attributes, sinceUs })));
    }
    return changes;
  }

  /** The session ended: all that the peer announced is withdrawn. */
  forget(from: number): RouteChange[] {
    const prefixes = [...this.learned.values()].flatMap((routes) => routes.get(from)?.prefix ?? []);
    return prefixes.flatMap((prefix) => this.change(prefix, (routes) => this.take(routes, from)));
  }

  best(prefix: IpPrefix): BgpRoute | undefined {
    return bestOf(this.learned.get(`${prefix.address}/${prefix.prefixLength}`) ?? new Map());
  }

  countOf(from: number): number {
    return this.ofPeer.get(from) ?? 0;
  }

  /** All of a prefix, the best first. */
  list(): BgpRoute[][] {
    return [...this.learned.values()].map((routes) => [...routes.values()].sort(better));
  }

  private change(prefix: IpPrefix, apply: (routes: Map<number, BgpRoute>) => void): RouteChange[] {
    const key = `${prefix.address}/${prefix.prefixLength}`;
    const routes = this.learned.get(key) ?? new Map<number, BgpRoute>();
    const before = bestOf(routes);
    apply(routes);
    if (routes.size === 0) this.learned.delete(key);
    else this.learned.set(key, routes);
    const best = bestOf(routes);
    return best === before ? [] : [{ prefix, best }];
  }

  private put(routes: Map<number, BgpRoute>, route: BgpRoute): void {
    const isNew = !routes.has(route.from);
    if (isNew && this.countOf(route.from) >= MAX_ROUTES_OF_PEER) return;
    routes.set(route.from, route);
    if (isNew) this.ofPeer.set(route.from, this.countOf(route.from) + 1);
  }

  private take(routes: Map<number, BgpRoute>, from: number): void {
    if (routes.delete(from)) this.ofPeer.set(from, this.countOf(from) - 1);
  }
}

function bestOf(routes: ReadonlyMap<number, BgpRoute>): BgpRoute | undefined {
  return [...routes.values()].sort(better)[0];
}

function better(a: BgpRoute, b: BgpRoute): number {
  const preference = ({ attributes }: BgpRoute) => attributes.localPreference ?? DEFAULT_LOCAL_PREFERENCE;
  return (
    preference(b) - preference(a) ||
    a.attributes.asPath.length - b.attributes.asPath.length ||
    a.attributes.origin - b.attributes.origin ||
    (a.attributes.originatorId ?? a.peerIdentifier) - (b.attributes.originatorId ?? b.peerIdentifier) ||
    (a.attributes.clusterList?.length ?? 0) - (b.attributes.clusterList?.length ?? 0) ||
    a.from - b.from
  );
}
