/**
 * What DNS told the pods of this node: names and their addresses, for as long as the answers hold, and after that while a
 * connection uses them (cilium's FQDN cache and its "zombies"). What is over is collected once a minute, as in the original: a
 * pod may connect to what an answer without any lifetime told.
 */

import { Alarm } from '../../../shared/netstack/alarm.ts';
import type { Engine } from '../../../shared/netstack/engine.ts';
import type { NamePattern } from '../../../shared/policy/l7-rules.ts';
import { nameMatches } from '../../../shared/policy/name-pattern.ts';
import { formatAddress } from '../../../shared/wire/ip-address.ts';
import { type AddressHolder, ipv6Table } from '../../../shared/wire/ipv6-table.ts';

const SECOND_US = 1_000_000;
const COLLECT_EVERY_US = 60 * SECOND_US;
/** cilium's tofqdns-endpoint-max-ip-per-hostname. */
const MAX_ADDRESSES_PER_NAME = 1000;
/** Of one node. */
export const MAX_ENTRIES = 50_000;
/** So that a pod which asks for more and more names leaves room for what others ask. */
export const MAX_ENTRIES_PER_ENDPOINT = 5000;

export interface FqdnEntry {
  /** The pod that asked. */
  readonly endpoint: number;
  /** In lower case, with the root's dot. */
  readonly name: string;
  readonly address: number;
  readonly ttlSeconds: number;
  readonly expiresUs: number;
  /** Whom it is kept for. */
  readonly source: 'lookup' | 'connection';
}

export interface FqdnCacheOptions {
  readonly engine: Engine;
  /** Of all connections there are; looked through once for each collection. */
  readonly openEnds: () => Iterable<readonly [client: number, server: number]>;
}

export class FqdnCache implements AddressHolder {
  /** Told when names have other addresses than before, within the turn that knows; the second after the first. */
  onIdentities: (() => void) | null = null;
  onChange: (() => void) | null = null;
  /** cilium's tofqdns-min-ttl. */
  minTtlSeconds = 0;
  private readonly options: FqdnCacheOptions;
  /** By name, then by endpoint and address. */
  private readonly names = new Map<string, Map<string, FqdnEntry>>();
  private size = 0;
  private readonly sizes = new Map<number, number>();
  /** Addresses that found no room. */
  refused = 0;
  private readonly alarm: Alarm;

  constructor(options: FqdnCacheOptions) {
    this.options = options;
    this.alarm = new Alarm(options.engine, () => this.collect());
    ipv6Table.hold(this);
  }

  /** An answer to a pod; `name` is full. What finds no room is not learned. */
  learn(endpoint: number, name: string, addresses: readonly number[], ttlSeconds: number): void {
    const ttl = Math.max(ttlSeconds, this.minTtlSeconds);
    const expiresUs = this.options.engine.nowUs + ttl * SECOND_US;
    const before = this.addressesNamed(name);
    const entries = this.names.get(name) ?? new Map<string, FqdnEntry>();
    let isNew = false;
    for (const address of addresses) {
      const key = keyOf(endpoint, address);
      const known = entries.get(key);
      if (known === undefined && (entries.size >= MAX_ADDRESSES_PER_NAME || this.isFullFor(endpoint))) {
        this.refused++;
        continue;
      }
      if (known === undefined) this.count(endpoint, 1);
      isNew ||= !before.has(address);
      const latestUs = Math.max(expiresUs, known?.source === 'lookup' ? known.expiresUs : 0);
      entries.set(key, { endpoint, name, address, ttlSeconds: ttl, expiresUs: latestUs, source: 'lookup' });
    }
    if (entries.size > 0) this.names.set(name, entries);
    if (!this.alarm.isSet) this.alarm.set(this.options.engine.nowUs + COLLECT_EVERY_US);
    if (isNew) this.changed();
  }

  /** As text, each once. */
  addressesOf(pattern: NamePattern): readonly string[] {
    const found = new Set<number>();
    for (const name of this.names.keys()) {
      if (nameMatches(pattern, name)) for (const address of this.addressesNamed(name)) found.add(address);
    }
    return [...found].map(formatAddress);
  }

  list(): readonly FqdnEntry[] {
    return [...this.names.values()].flatMap((entries) => [...entries.values()]);
  }

  /** The names that each address has. */
  namesByAddress(): ReadonlyMap<number, ReadonlySet<string>> {
    const found = new Map<number, Set<string>>();
    for (const { address, name } of this.list()) found.set(address, (found.get(address) ?? new Set()).add(name));
    return found;
  }

  /** A pod is gone, or `cilium-dbg fqdn cache clean` was called. */
  forget(isMeant: (entry: FqdnEntry) => boolean): void {
    if (this.removeWhere(isMeant)) this.changed();
  }

  visitAddresses(visit: (address: number) => void): void {
    for (const entries of this.names.values()) for (const { address } of entries.values()) visit(address);
  }

  private addressesNamed(name: string): ReadonlySet<number> {
    const entries = [...(this.names.get(name)?.values() ?? [])];
    return new Set(entries.map(({ address }) => address));
  }

  private collect(): void {
    const { engine, openEnds } = this.options;
    const open = new Set([...openEnds()].map(([client, server]) => keyOf(client, server)));
    const isOver = ({ expiresUs }: FqdnEntry): boolean => expiresUs <= engine.nowUs;
    for (const entries of this.names.values()) {
      for (const [key, entry] of entries) {
        if (!isOver(entry) || !open.has(key)) continue;
        entries.set(key, { ...entry, source: 'connection', expiresUs: engine.nowUs + COLLECT_EVERY_US });
      }
    }
    const changed = this.removeWhere(isOver);
    if (this.size > 0) this.alarm.set(engine.nowUs + COLLECT_EVERY_US);
    if (changed) this.changed();
  }

  private isFullFor(endpoint: number): boolean {
    return this.size >= MAX_ENTRIES || (this.sizes.get(endpoint) ?? 0) >= MAX_ENTRIES_PER_ENDPOINT;
  }

  private count(endpoint: number, more: 1 | -1): void {
    this.size += more;
    const size = (this.sizes.get(endpoint) ?? 0) + more;
    if (size === 0) this.sizes.delete(endpoint);
    else this.sizes.set(endpoint, size);
  }

  private changed(): void {
    this.onIdentities?.();
    this.onChange?.();
  }

  private removeWhere(isMeant: (entry: FqdnEntry) => boolean): boolean {
    const before = this.size;
    for (const [name, entries] of this.names) {
      for (const [key, entry] of entries) {
        if (isMeant(entry) && entries.delete(key)) this.count(entry.endpoint, -1);
      }
      if (entries.size === 0) this.names.delete(name);
    }
    return this.size < before;
  }
}

function keyOf(endpoint: number, address: number): string {
  return `${endpoint} ${address}`;
}
