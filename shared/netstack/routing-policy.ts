/**
 * Policy routing (ip-rule(8)): which table a forwarded packet is routed by, as its source, its destination and its mark say.
 * Rules are asked in the order of their priority; a table without a route for the packet leaves it to the next rule.
 * IPv4 alone. A host without rules of its own has no such policy: its only table is `main`.
 */

import type { IpPrefix } from '../wire/ip-address.ts';
import { isInNetwork } from '../wire/ip-address.ts';
import { Fib, type Route } from './route.ts';

export const MAIN_TABLE = 254;
/** Rules one host may hold. */
export const MAX_RULES = 8192;

export interface RoutingRule {
  /** Lower comes first. */
  readonly priority: number;
  /** Everything where it is left out; the same for the next two. */
  readonly from?: IpPrefix;
  readonly to?: IpPrefix;
  readonly mark?: { readonly value: number; readonly mask: number };
  /** The number of the table: 254 is `main`. */
  readonly table: number;
}

export class RoutingPolicy {
  private readonly main: Fib;
  private readonly tables = new Map<number, Fib>();
  private ordered: RoutingRule[] = [];

  constructor(main: Fib) {
    this.main = main;
    this.tables.set(MAIN_TABLE, main);
  }

  /** In the order in which they are asked, `main`, which is asked last, left out. */
  get rules(): readonly RoutingRule[] {
    return this.ordered;
  }

  /** Undefined when there is no such table. */
  table(number: number): Fib | undefined {
    return this.tables.get(number);
  }

  /** Makes a table, or begins it anew. `changed` of the policy is to be called once its routes are in. */
  createTable(number: number): Fib {
    const table = new Fib();
    this.tables.set(number, table);
    return table;
  }

  /** With it go the rules that lead to it. */
  removeTable(number: number): void {
    this.tables.delete(number);
    this.ordered = this.ordered.filter(({ table }) => table !== number);
    this.changed();
  }

  add(rule: RoutingRule): void {
    if (this.ordered.length >= MAX_RULES) throw new Error(`a host has at most ${MAX_RULES} routing rules`);
    const place = this.ordered.findIndex(({ priority }) => priority > rule.priority);
    this.ordered.splice(place === -1 ? this.ordered.length : place, 0, rule);
    this.changed();
  }

  /** The very rule that was added. */
  remove(rule: RoutingRule): void {
    this.ordered = this.ordered.filter((other) => other !== rule);
    this.changed();
  }

  /** What flows remember of their routes is stale. */
  changed(): void {
    this.main.generation++;
  }

  lookup(source: number, destination: number, mark: number): Route | undefined {
    for (const rule of this.ordered) {
      if (!applies(rule, source, destination, mark)) continue;
      const route = this.tables.get(rule.table)?.lookup(destination);
      if (route !== undefined) return route;
    }
    return this.main.lookup(destination);
  }
}

function applies({ from, to, mark: marked }: RoutingRule, source: number, destination: number, mark: number): boolean {
  if (from !== undefined && !isInNetwork(source, from.address, from.prefixLength)) return false;
  if (to !== undefined && !isInNetwork(destination, to.address, to.prefixLength)) return false;
  return marked === undefined || (mark & marked.mask) >>> 0 === marked.value;
}
