/**
 * What of nftables a table of kube-proxy's needs: chains of rules, sets, and verdict maps, which find the chain of a Service
 * in one look-up (nft(8); kernel.org, "nf_tables"). There is one table, `ip kube-proxy` (`ip6` for the other family).
 */
import type { IpPrefix } from '../wire/ip-address.ts';
import type { ServiceProtocol } from './service-key.ts';

export type NftVerdict =
  | { readonly kind: 'accept' | 'drop' | 'return' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string };

/** What a set's or map's elements consist of, in this order. */
export type NftKeyPart = 'ipv4_addr' | 'ipv6_addr' | 'inet_proto' | 'inet_service';

export interface NftElement {
  /** As `shared/wire/ip-address.ts` has them. */
  readonly address?: number;
  readonly protocol?: ServiceProtocol;
  readonly port?: number;
  /** Of a map. */
  readonly verdict?: NftVerdict;
  readonly comment?: string;
}

export interface NftSet {
  readonly kind: 'set' | 'map';
  readonly type: readonly NftKeyPart[];
  readonly comment?: string;
  /** Packets add elements (`update`), which time out. */
  readonly timeoutSeconds?: number;
}

export type NftSide = 'source' | 'destination';

export type NftMatch =
  /** `ip saddr 10.0.0.0/8`, `ip saddr != { a, b }`. */
  | {
      readonly kind: 'address';
      readonly side: NftSide;
      readonly prefixes: readonly IpPrefix[];
      readonly negated?: boolean;
    }
  /** `ip daddr @nodeport-ips`. */
  | { readonly kind: 'in-set'; readonly side: NftSide; readonly set: string }
  /** `meta l4proto tcp`. */
  | { readonly kind: 'protocol'; readonly protocol: ServiceProtocol }
  /** `tcp dport 80`. */
  | { readonly kind: 'port'; readonly protocol: ServiceProtocol; readonly port: number }
  /** `ct state new`. */
  | { readonly kind: 'new' }
  /** `meta mark & bits == 0x0`. */
  | { readonly kind: 'unmarked'; readonly bits: number }
  /** `fib saddr type local`. */
  | { readonly kind: 'local'; readonly side: NftSide };

export type NftStatement =
  | NftVerdict
  | { readonly kind: 'reject' }
  /** `ip daddr . meta l4proto . th dport vmap @map`; `port` leaves the address out. */
  | { readonly kind: 'vmap'; readonly key: 'destination' | 'port'; readonly map: string }
  /** `numgen random mod N vmap { 0 : goto ..., }`. */
  | { readonly kind: 'numgen'; readonly chains: readonly string[] }
  | { readonly kind: 'dnat'; readonly address: number; readonly port: number }
  | { readonly kind: 'masquerade' }
  | { readonly kind: 'mark'; readonly operation: '|' | '^'; readonly bits: number }
  /** `update @set { ip saddr }`. */
  | { readonly kind: 'update'; readonly set: string };

export interface NftRule {
  readonly matches?: readonly NftMatch[];
  readonly statement: NftStatement;
  readonly comment?: string;
}

export type NftHookName = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';

export interface NftHook {
  readonly type: 'filter' | 'nat';
  readonly hook: NftHookName;
  readonly priority: number;
}

export interface NftChain {
  /** Of a base chain. */
  readonly hook?: NftHook;
  readonly rules: readonly NftRule[];
}

export interface NftElements {
  readonly add?: readonly NftElement[];
  readonly remove?: readonly NftElement[];
}

/** As `nft -f` takes it: all of it between two packets. A chain that is named is replaced whole, of a set only elements. */
export interface NftChange {
  readonly sets?: Readonly<Record<string, NftSet>>;
  readonly deleteSets?: readonly string[];
  readonly chains?: Readonly<Record<string, NftChain>>;
  readonly deleteChains?: readonly string[];
  readonly elements?: Readonly<Record<string, NftElements>>;
}

/** The chains that a rule leads to. */
export function chainsOf({ statement }: NftRule): readonly string[] {
  if (statement.kind === 'jump' || statement.kind === 'goto') return [statement.chain];
  return statement.kind === 'numgen' ? statement.chains : [];
}

/** The sets and maps that a rule asks. */
export function setsOf({ matches = [], statement }: NftRule): readonly string[] {
  const asked = matches.flatMap((match) => (match.kind === 'in-set' ? [match.set] : []));
  if (statement.kind === 'vmap') return [...asked, statement.map];
  return statement.kind === 'update' ? [...asked, statement.set] : asked;
}
