/**
 * Routes that a daemon keeps: what somebody takes of them is there again after the daemon's next look at the table. Daemons look in
 * fixed intervals; here nothing looks before a route is missing, and then at the time at which the daemon would.
 */
import { Alarm } from './alarm.ts';
import type { RouteChange, RouteObserver } from './change-observer.ts';
import type { NetDevice } from './device.ts';
import type { Engine } from './engine.ts';
import type { Fib, Route, RouteMatch, RouteSpec } from './route.ts';

export interface KeptRoutesOptions {
  readonly engine: Engine;
  readonly routes: Fib;
  /** Between two looks; undefined where nobody looks. */
  readonly intervalUs: number | undefined;
  /** The daemon hears of links: what a device lost is back as soon as that is up again. */
  readonly followsLinks?: boolean;
}

export class KeptRoutes implements RouteObserver {
  private readonly options: KeptRoutesOptions;
  /** By prefix. */
  private readonly kept = new Map<string, RouteSpec>();
  private readonly look: Alarm;

  constructor(options: KeptRoutesOptions) {
    this.options = options;
    this.look = new Alarm(options.engine, () => this.restore());
    options.routes.observers.add(this);
  }

  /** In the place of what is there; one that is refused now is tried again. */
  set(spec: RouteSpec): void {
    this.kept.set(keyOf(spec), spec);
    if (!this.options.routes.tryReplace(spec)) this.expect();
  }

  /** Takes the route away, and keeps none to this prefix any more. */
  remove(match: RouteMatch): void {
    this.kept.delete(keyOf(match));
    this.options.routes.remove(match);
  }

  routeChanged(route: Route, change: RouteChange): void {
    if (change !== 'added' && this.kept.has(keyOf(route))) this.expect();
  }

  linkUp(device: NetDevice): void {
    if (this.options.followsLinks) this.restore((spec) => spec.device === device);
  }

  private expect(): void {
    const { engine, intervalUs } = this.options;
    if (intervalUs !== undefined && !this.look.isSet)
      this.look.set((Math.floor(engine.nowUs / intervalUs) + 1) * intervalUs);
  }

  /** A route that somebody else made there stays; a gateway that is out of reach may come back. */
  private restore(isMeant: (spec: RouteSpec) => boolean = () => true): void {
    for (const spec of [...this.kept.values()].filter(isMeant)) {
      const { destination, prefixLength } = spec;
      const { routes } = this.options;
      if (!routes.has({ destination, prefixLength }) && !routes.tryReplace(spec)) this.expect();
    }
  }
}

function keyOf({ destination, prefixLength }: Pick<RouteMatch, 'destination' | 'prefixLength'>): string {
  return `${destination}/${prefixLength}`;
}
